import JSON

/// Extracts the text for a custom tool from the arguments of its call, `{"input": "..."}`, as they are generated.
struct CustomToolInput: Sendable {
    /// The number of quotes before the text: two of the member's name, and the first one of the text.
    private var quotes = 0
    private var isComplete = false
    /// The beginning of an incomplete escape.
    private var escape: [UInt8] = []

    /// - Parameter arguments: the next piece.
    /// - Returns: the next piece of the text.
    mutating func append(_ arguments: String) -> String {
        var text: [UInt8] = []
        for byte in arguments.utf8 where !isComplete {
            if quotes < 3 {
                if byte == UInt8(ascii: "\"") { quotes += 1 }
            } else if !escape.isEmpty {
                escape.append(byte)
                guard let value = Self.value(of: escape) else { continue }
                text += value
                escape = []
            } else if byte == UInt8(ascii: "\\") {
                escape = [byte]
            } else if byte == UInt8(ascii: "\"") {
                isComplete = true
            } else {
                text.append(byte)
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Returns the text of complete or partial arguments.
    static func text(of arguments: String) -> String {
        var reader = CustomToolInput()
        return reader.append(arguments)
    }

    /// Returns the character of an escape; nil if it is not complete.
    private static func value(of escape: [UInt8]) -> [UInt8]? {
        guard escape.count > 1 else { return nil }
        if escape[1] == UInt8(ascii: "u") {
            guard escape.count == 6 || escape.count == 12 else { return nil }
            let isHigh = escape.count == 6 && [8, 9, 0xA, 0xB].contains(digit(escape[3])) && digit(escape[2]) == 0xD
            if isHigh { return nil }
        }
        let json = [UInt8(ascii: "\"")] + escape + [UInt8(ascii: "\"")]
        return Array((try? JSONValue(parsing: json))?.string?.utf8 ?? "\u{FFFD}".utf8)
    }

    private static func digit(_ byte: UInt8) -> Int {
        Int(String(decoding: [byte], as: UTF8.self), radix: 16) ?? -1
    }
}
