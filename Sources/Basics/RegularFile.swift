// Opens and reads files that a configuration or a model folder names. The callers parse the content.
import Foundation

/// Functions that open and read regular files of a bounded size.
///
/// All other kinds of files are rejected before they are opened: opening a FIFO blocks until it has a writer, and reading a device
/// may never end. A symbolic link to a regular file is allowed, because downloads are often links into a cache.
package enum RegularFile {
    /// The reason why a file cannot be read.
    package enum Failure: Error, Hashable, CustomStringConvertible {
        /// The system's error number.
        case system(Int32)
        /// The path names something other than a regular file. The text says what.
        case kind(String)
        case tooLarge(bytes: Int, limit: Int)
        case danglingLink

        package var description: String {
            switch self {
            case .system(let number): String(cString: strerror(number))
            case .kind(let kind): "not a regular file but \(kind)"
            case .tooLarge(let bytes, let limit): "the file has \(bytes) bytes, more than the limit of \(limit)"
            case .danglingLink: "a symbolic link to a file that does not exist"
            }
        }
    }

    /// Opens the file for reading.
    ///
    /// - Returns: A file descriptor, which the caller closes, and the file's size in bytes.
    /// - Throws: `Failure.system`, `.kind` or `.danglingLink`.
    package static func open(_ path: String) throws(Failure) -> (descriptor: Int32, bytes: Int) {
        var status = stat()
        guard stat(path, &status) == 0 else {
            let number = errno
            throw number == ENOENT && exists(path) ? .danglingLink : .system(number)
        }
        // The kind is also checked before the file is opened, because opening a device can have side effects.
        try check(status)
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else { throw .system(errno) }
        do throws(Failure) {
            guard fstat(descriptor, &status) == 0 else { throw .system(errno) }
            try check(status)
        } catch {
            close(descriptor)
            throw error
        }
        return (descriptor, Int(status.st_size))
    }

    /// Returns the content of the file.
    ///
    /// - Parameter limit: The maximum size of the file in bytes.
    /// - Throws: `Failure` if the file cannot be read.
    package static func read(_ path: String, atMost limit: Int) throws(Failure) -> [UInt8] {
        let (descriptor, size) = try open(path)
        defer { close(descriptor) }
        guard size <= limit else { throw .tooLarge(bytes: size, limit: limit) }
        var content: [UInt8] = []
        // A file may grow while it is read, and files in /proc report a size of 0.
        while content.count <= limit {
            let wanted = max(min(size - content.count, limit - content.count), 0) + 1
            var result = 0
            let piece = [UInt8](unsafeUninitializedCapacity: wanted) { buffer, count in
                repeat {
                    result = Glibc.read(descriptor, buffer.baseAddress, wanted)
                } while result < 0 && errno == EINTR
                count = max(result, 0)
            }
            guard result >= 0 else { throw .system(errno) }
            if content.isEmpty { content = piece } else { content += piece }
            if result == 0 { return content }
        }
        throw .tooLarge(bytes: content.count, limit: limit)
    }

    /// Checks a file that a library opens and reads by itself.
    ///
    /// - Throws: The same errors as ``read(_:atMost:)``.
    package static func check(_ path: String, atMost limit: Int) throws(Failure) {
        let (descriptor, size) = try open(path)
        close(descriptor)
        guard size <= limit else { throw .tooLarge(bytes: size, limit: limit) }
    }

    /// Returns the content of the file, or `nil` if there is no file at this path.
    ///
    /// - Throws: The same errors as ``read(_:atMost:)``. A dangling link is an error, not a missing file.
    package static func readIfPresent(_ path: String, atMost limit: Int) throws(Failure) -> [UInt8]? {
        exists(path) ? try read(path, atMost: limit) : nil
    }

    /// Returns whether there is a file at this path, including a dangling link.
    package static func exists(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0
    }

    private static func check(_ status: stat) throws(Failure) {
        switch status.st_mode & S_IFMT {
        case S_IFREG: return
        case S_IFDIR: throw .kind("a directory")
        case S_IFIFO: throw .kind("a FIFO")
        case S_IFSOCK: throw .kind("a socket")
        default: throw .kind("a device")
        }
    }
}
