import Basics
import Foundation

/// Writes a file under a temporary name and renames it when it is complete, so that an incomplete file is never mistaken for a
/// complete one, even after a power failure.
struct FileWriter: ~Copyable {
    private let path: String
    private let descriptor: Int32
    private var isClosed = false

    /// - Throws: `CheckpointError.unwritable`.
    init(_ path: String) throws(CheckpointError) {
        self.path = path
        descriptor = open(Self.partial(path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw Self.failure(path, errno, neededBytes: 0) }
    }

    /// Returns the temporary path of an incomplete file.
    private static func partial(_ path: String) -> String { path + ".partial" }

    /// Appends all of `bytes`.
    mutating func append(_ bytes: UnsafeRawBufferPointer) throws(CheckpointError) {
        var rest = bytes
        while !rest.isEmpty {
            let count = write(descriptor, rest.baseAddress, rest.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Self.failure(path, errno, neededBytes: rest.count) }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    /// Appends all of `bytes`.
    mutating func append(_ bytes: [UInt8]) throws(CheckpointError) {
        let result: Result<Void, CheckpointError> = bytes.withUnsafeBytes { bytes in
            do throws(CheckpointError) {
                return .success(try append(bytes))
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }

    /// Writes the file to the disk, closes it and renames it to its final name. The disk may report only now that it is full.
    mutating func finish() throws(CheckpointError) {
        guard fsync(descriptor) == 0 else { throw Self.failure(path, errno, neededBytes: 0) }
        isClosed = true
        guard close(descriptor) == 0, rename(Self.partial(path), path) == 0 else {
            throw Self.failure(path, errno, neededBytes: 0)
        }
    }

    deinit {
        if !isClosed { close(descriptor) }
    }

    /// Checks that the file system of `directory` has enough space for the files.
    ///
    /// - Throws: `CheckpointError.unwritable` with both sizes.
    static func checkRoom(for bytes: Int, in directory: URL) throws(CheckpointError) {
        guard let free = FreeSpace.bytes(directory.path), free < bytes else { return }
        throw failure(directory.path, ENOSPC, neededBytes: bytes)
    }

    /// Returns an error with the system's reason and, if the file system is full, the needed and the free bytes.
    private static func failure(_ path: String, _ number: Int32, neededBytes: Int) -> CheckpointError {
        var reason = String(cString: strerror(number))
        if number == ENOSPC || number == EDQUOT {
            let directory =
                FileManager.default.fileExists(atPath: path) ? path : (path as NSString).deletingLastPathComponent
            let free = FreeSpace.bytes(directory).map { ", \(ByteCount($0)) free" } ?? ""
            reason += ": \(ByteCount(neededBytes)) more needed\(free)"
        }
        return .unwritable(file: path, reason: reason)
    }
}
