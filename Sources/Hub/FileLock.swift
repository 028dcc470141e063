import Foundation

/// A lock between processes, as `huggingface_hub` takes it (flock of a file of its own). Freed with the object, or when the
/// process ends.
final class FileLock {
    private let descriptor: Int32

    private init(_ descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    /// The lock, or `nil` while another process holds it. A file system without locks gives it to everyone: then two downloads
    /// write the same bytes to the same places.
    ///
    /// - Parameter isShared: whether others may have it at the same time, who share it too.
    static func attempt(_ path: String, isShared: Bool = false) throws(HubError) -> FileLock? {
        while true {
            // Others of the group may wait for it too.
            let descriptor = try SystemCall.check(path) { open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o664) }
            let lock = FileLock(descriptor)
            if flock(descriptor, (isShared ? LOCK_SH : LOCK_EX) | LOCK_NB) != 0 {
                switch errno {
                case EWOULDBLOCK: return nil
                case EINTR: continue
                case ENOSYS, EOPNOTSUPP, ENOLCK: return lock
                case let number: throw .system(path: path, errno: number)
                }
            }
            // The file may have been removed between its opening and the lock.
            var (held, named) = (stat(), stat())
            if fstat(descriptor, &held) == 0, stat(path, &named) == 0, held.st_ino == named.st_ino { return lock }
        }
    }
}
