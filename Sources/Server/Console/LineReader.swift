import Foundation

/// Reads lines of a file as they are typed. The standard library's `readLine` has two problems. It holds the lock of the C
/// library's `stdin` while it waits, so a process that a signal ends would first wait for the next line. After an interrupted
/// call, it may try forever to read beyond the end.
struct LineReader {
    private let descriptor: Int32
    /// The bytes read after the last line.
    private var rest: [UInt8] = []
    private var isAtEnd = false

    init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    /// The next line without its line end (LF or CR LF); `nil` at the end of the file or if it cannot be read.
    mutating func next() -> String? {
        var searched = 0
        while true {
            if let end = rest[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                let line = rest[..<end]
                defer { rest.removeFirst(end + 1) }
                return String(decoding: line.last == UInt8(ascii: "\r") ? line.dropLast() : line, as: UTF8.self)
            }
            searched = rest.count
            if !isAtEnd { fill() }
            guard isAtEnd else { continue }
            defer { rest = [] }
            return rest.isEmpty ? nil : String(decoding: rest, as: UTF8.self)
        }
    }

    private mutating func fill() {
        let piece = [UInt8](unsafeUninitializedCapacity: 4096) { buffer, count in
            var got = read(descriptor, buffer.baseAddress, buffer.count)
            while got < 0, errno == EINTR { got = read(descriptor, buffer.baseAddress, buffer.count) }
            count = max(0, got)
        }
        isAtEnd = piece.isEmpty
        rest += piece
    }
}
