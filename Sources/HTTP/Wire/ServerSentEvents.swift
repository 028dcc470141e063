/// The event stream format of the WHATWG HTML standard, 9.2, for bodies of type `text/event-stream`.
public enum ServerSentEvents {
    /// Returns one event: a line `data: ...` for each line of `data` (UTF-8), and an empty line.
    public static func event(_ data: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(data.count + 8)
        append(data, to: &bytes)
        return bytes
    }

    /// Returns one event whose data is a text.
    public static func event(_ data: String) -> [UInt8] {
        event(Array(data.utf8))
    }

    /// Appends one event to other bytes.
    public static func append(_ data: [UInt8], to bytes: inout [UInt8]) {
        appendLines(of: data, prefix: "data: ", to: &bytes)
    }

    /// Returns a comment, which clients ignore, to keep a silent connection open.
    public static func comment(_ text: String) -> [UInt8] {
        var bytes: [UInt8] = []
        appendLines(of: Array(text.utf8), prefix: ": ", to: &bytes)
        return bytes
    }

    /// Appends each line of `data` with the prefix. CR LF, CR and LF all end a line in an event stream, so none may be in a line.
    private static func appendLines(of data: [UInt8], prefix: String, to bytes: inout [UInt8]) {
        var rest = data[...]
        while true {
            let end = rest.firstIndex { $0 == .lineFeed || $0 == .carriageReturn }
            bytes.append(contentsOf: prefix.utf8)
            bytes.append(contentsOf: rest[..<(end ?? rest.endIndex)])
            bytes.append(.lineFeed)
            guard let end else { break }
            let isPair = rest[end...].starts(with: [.carriageReturn, .lineFeed])
            rest = rest[(end + (isPair ? 2 : 1))...]
        }
        bytes.append(.lineFeed)
    }
}
