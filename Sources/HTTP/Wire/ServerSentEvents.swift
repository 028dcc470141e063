/// The event stream format of the WHATWG HTML standard, 9.2: what a `text/event-stream` body is made of.
public enum ServerSentEvents {
    /// One event: `data: ...`, a line of it for each line of `data`, and an empty line.
    public static func event(_ data: some Collection<UInt8>) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(data.count + 8)
        append(data, to: &bytes)
        return bytes
    }

    /// One event with text as its data.
    public static func event(_ data: String) -> [UInt8] {
        event(data.utf8)
    }

    /// Appends one event to bytes that are being collected.
    public static func append(_ data: some Collection<UInt8>, to bytes: inout [UInt8]) {
        appendLines(data, prefix: "data: ", to: &bytes)
        bytes.append(.lineFeed)
    }

    /// A comment, which clients ignore: keeps a quiet connection open.
    public static func comment(_ text: String) -> [UInt8] {
        var bytes: [UInt8] = []
        appendLines(text.utf8, prefix: ": ", to: &bytes)
        bytes.append(.lineFeed)
        return bytes
    }

    /// CR LF, CR and LF all end a line in an event stream, so none may reach it inside the data.
    private static func appendLines(_ data: some Collection<UInt8>, prefix: String, to bytes: inout [UInt8]) {
        bytes.append(contentsOf: prefix.utf8)
        var previous: UInt8 = 0
        for byte in data {
            switch byte {
            case .lineFeed where previous == .carriageReturn: break
            case .lineFeed, .carriageReturn:
                bytes.append(.lineFeed)
                bytes.append(contentsOf: prefix.utf8)
            default: bytes.append(byte)
            }
            previous = byte
        }
        bytes.append(.lineFeed)
    }
}
