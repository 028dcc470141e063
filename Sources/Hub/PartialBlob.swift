import Foundation

/// The first part of a file in the cache, `blobs/HASH.incomplete`, and the state of its hash.
final class PartialBlob {
    /// The number of bytes that were written.
    private(set) var offset = 0
    /// Whether an earlier download wrote a part of the file.
    private(set) var isResumed = false
    private let path: String
    private let file: RepositoryFile
    private var descriptor: Int32
    private var digest: DigestComputation

    private static let readBytes = 1 << 20

    /// Opens or creates the file, and hashes its content.
    ///
    /// - Parameters:
    ///   - path: the path of the incomplete file.
    ///   - file: the complete file.
    ///   - mustStop: called often during hashing; hashing stops when it returns true.
    /// - Throws: `HubError.system`, `.diskFull` or `.cancelled`.
    init(_ path: String, file: RepositoryFile, mustStop: () -> Bool) throws(HubError) {
        self.path = path
        self.file = file
        descriptor = try Self.open(path)
        digest = DigestComputation(file.digest.kind, size: file.bytes)
        guard let size = SystemCall.size(path), size <= file.bytes else {
            try restart()
            return
        }
        var buffer = [UInt8](repeating: 0, count: min(size, Self.readBytes))
        while offset < size {
            if mustStop() { throw .cancelled }
            let count = try SystemCall.check(path) { read(descriptor, &buffer, min(buffer.count, size - offset)) }
            guard count > 0 else {
                try restart()
                return
            }
            buffer.withUnsafeBytes { digest.add(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
            offset += count
        }
        isResumed = size > 0
    }

    deinit { close(descriptor) }

    /// Writes the next bytes.
    func append(_ bytes: ArraySlice<UInt8>) throws(HubError) {
        var rest = bytes
        while !rest.isEmpty {
            // Written at an explicit offset, because two processes may write the same bytes where locks do not work.
            let count = try SystemCall.check(path) {
                rest.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, off_t(offset)) }
            }
            rest.prefix(count).withUnsafeBytes { digest.add($0) }
            offset += count
            rest = rest.dropFirst(count)
        }
    }

    /// Starts again with an empty file. The old file is removed, not truncated, because another process may have published it.
    func restart() throws(HubError) {
        remove()
        let new = try Self.open(path)
        close(descriptor)
        descriptor = new
        digest = DigestComputation(file.digest.kind, size: file.bytes)
        (offset, isResumed) = (0, false)
    }

    func remove() { unlink(path) }

    /// Returns whether the hash is the expected one. Call it once, after all bytes were written.
    func finish() -> (isRight: Bool, got: String) {
        let got = digest.finish()
        return (got == file.digest.hex, got)
    }

    /// Renames the file to its final name after its content is on disk.
    func publish(as final: String) throws(HubError) {
        try SystemCall.check(path) { fsync(descriptor) }
        // Without locks, another process may have been first.
        guard rename(path, final) != 0, SystemCall.size(final) != file.bytes else { return }
        throw .system(path: final, errno: errno)
    }

    private static func open(_ path: String) throws(HubError) -> Int32 {
        try SystemCall.check(path) { Foundation.open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o666) }
    }
}
