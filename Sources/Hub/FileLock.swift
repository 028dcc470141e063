import Foundation

/// A lock between processes, compatible with `huggingface_hub` (flock on a lock file). It is released with the object, or when
/// the process ends.
final class FileLock {
    private let descriptor: Int32

    private init(_ descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    /// Returns the lock, or `nil` if another process holds it. On a file system without locks every process gets it; then two
    /// downloads write the same bytes to the same offsets.
    ///
    /// - Parameter isShared: whether other processes can share the lock at the same time.
    static func attempt(_ path: String, isShared: Bool = false) throws(HubError) -> FileLock? {
        while true {
            // Other users of the group may need the lock too.
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
            // The file may have been removed after it was opened and before it was locked.
            var (held, named) = (stat(), stat())
            if fstat(descriptor, &held) == 0, stat(path, &named) == 0, held.st_ino == named.st_ino { return lock }
        }
    }
}
