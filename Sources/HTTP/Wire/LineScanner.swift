/// Finds the lines of a head or of a chunked body. It scans each byte once, regardless of how the bytes arrive.
///
/// Only CR LF ends a line. Bare LF and bare CR, which only some recipients accept as line ends, and all control characters
/// except HTAB are refused (RFC 9112, 2.2; RFC 9110, 5.5).
struct LineScanner {
    /// The number of bytes of the unfinished line that were scanned before.
    private var scanned = 0

    /// Returns the length of the line at the front of `buffer`, without its CR LF; nil if its end has not arrived.
    ///
    /// - Parameters:
    ///   - limit: The maximum length of a line in bytes.
    ///   - excess: The error for a longer line.
    mutating func next(
        in buffer: borrowing ByteBuffer, limit: Int, excess: WireError
    ) throws(WireError) -> Int? {
        var index = scanned
        let count = buffer.count
        while index < count {
            let byte = buffer[index]
            switch byte {
            case .carriageReturn:
                guard index + 1 < count else {
                    scanned = index
                    return nil
                }
                guard buffer[index + 1] == .lineFeed else { throw .bareCarriageReturn }
                scanned = 0
                return index
            case .lineFeed: throw .bareLineFeed
            case .tab, 0x20...0x7E, 0x80...0xFF:
                guard index < limit else { throw excess }
                index += 1
            default: throw .forbiddenByte
            }
        }
        scanned = index
        return nil
    }
}
