import Foundation

/// System calls that report errors by number.
enum SystemCall {
    static func text(_ number: Int32) -> String { String(cString: strerror(number)) }

    /// Runs a call, and repeats it if a signal interrupts it.
    ///
    /// - Throws: `HubError.diskFull` or `.system` if the result is negative.
    @discardableResult static func check<Result: BinaryInteger>(
        _ path: String, _ call: () -> Result
    ) throws(HubError) -> Result {
        while true {
            let result = call()
            if result >= 0 { return result }
            let number = errno
            if number == EINTR { continue }
            if number == ENOSPC || number == EDQUOT {
                throw .diskFull(path: path)
            }
            throw .system(path: path, errno: number)
        }
    }

    /// Creates a folder and its parent folders.
    static func makeFolder(_ path: String) throws(HubError) {
        guard mkdir(path, 0o777) != 0 else { return }
        switch errno {
        case EEXIST: return
        case ENOENT:
            let parent = String(path.prefix(upTo: path.lastIndex(of: "/") ?? path.startIndex))
            guard !parent.isEmpty else { throw .system(path: path, errno: ENOENT) }
            try makeFolder(parent)
            guard mkdir(path, 0o777) == 0 || errno == EEXIST else { throw .system(path: path, errno: errno) }
        case let number: throw .system(path: path, errno: number)
        }
    }

    /// Returns the size of a regular file, following links; `nil` if there is none.
    static func size(_ path: String) -> Int? {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        return Int(status.st_size)
    }
}
