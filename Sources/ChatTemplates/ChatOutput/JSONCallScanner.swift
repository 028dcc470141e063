import JSON

/// A call written as a JSON object with a name and arguments. Arguments are emitted as they arrive if they are an object and the
/// last member, which is what models write.
struct JSONCallScanner: Sendable {
    private enum Phase: Sendable {
        /// Before the arguments.
        case head
        case arguments
        /// After the arguments.
        case tail
        /// The members have another order. The call is parsed when it is complete.
        case whole
    }

    /// The maximum length in bytes of a head for which arguments are emitted as they arrive. A call with a longer head is parsed
    /// when it is complete. Without this limit, a name that never ends would be parsed again for each token.
    private static let longestHead = 1024

    private var phase = Phase.head
    private var depth = 0
    private var isInString = false
    private var isEscaped = false
    /// The number of pending bytes that are known to be white space.
    private var space = 0

    mutating func scan(
        _ pending: inout PendingText, isLast: Bool, _ give: (CallScanner.Part) -> Void
    ) -> CallScanner.Outcome {
        if phase == .head {
            switch Self.head(Array(pending.slice(0..<min(pending.count, Self.longestHead + 1)))) {
            case .incomplete where !isLast && pending.count <= Self.longestHead: return .incomplete
            case .found(let name, let start):
                pending.drop(start)
                give(.name(name))
                phase = .arguments
            default: phase = .whole
            }
        }
        if phase == .arguments {
            let end = endOfArguments(in: pending.slice(0..<pending.count))
            if end > 0 { give(.arguments(pending.string(0..<end))) }
            pending.drop(end)
            if depth > 0 { return isLast ? .complete : .incomplete }
            phase = .tail
        }
        // An object whose members have another order is parsed when it is complete.
        if phase == .whole {
            space = pending.endOfSpace(from: space)
            if space < pending.count, pending[space] != UInt8(ascii: "{") { return .noCall }
        }
        let closing = pending.firstCallEnd()
        if closing == nil, !isLast { return .incomplete }
        let end = closing?.lowerBound ?? pending.count
        guard phase == .tail || giveWhole(pending, end, give) else { return .noCall }
        pending.drop(closing?.upperBound ?? end)
        return .complete
    }

    private func giveWhole(_ pending: PendingText, _ end: Int, _ give: (CallScanner.Part) -> Void) -> Bool {
        // Parsed in place, because text that is not a call may contain many beginnings of calls, each followed by all the
        // remaining text.
        let read = pending.withUnsafeBytes(0..<end) { bytes in
            var parser = JSONParser(bytes: bytes)
            return try? parser.parseText()
        }
        guard let call = read, let name = call["name"]?.string, !name.isEmpty else { return false }
        let arguments = call["arguments"] ?? call["parameters"] ?? [:]
        // Some models write the arguments as the API does: as a string that contains JSON.
        let text = arguments.string ?? String(decoding: arguments.serialized, as: UTF8.self)
        guard let parsed = try? JSONValue(parsing: text), parsed.object != nil else { return false }
        give(.name(name))
        give(.arguments(text))
        return true
    }

    /// Returns the end of the arguments in `text`.
    private mutating func endOfArguments(in text: ArraySlice<UInt8>) -> Int {
        for (index, byte) in text.enumerated() {
            if isInString {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isInString = false
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): isInString = true
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                if depth == 0 { return index + 1 }
            case UInt8(ascii: "<"):
                // No JSON has it outside of a string: the call ended too early.
                depth = 0
                return index
            default: break
            }
        }
        return text.count
    }

    private enum Head {
        case incomplete
        case other
        /// The name, and the offset of the arguments.
        case found(String, Int)
    }

    /// Parses `{"name": "...", "arguments": {`.
    private static func head(_ text: [UInt8]) -> Head {
        var index = 0
        func skipSpace() { while index < text.count, text[index].isSpace { index += 1 } }
        /// Consumes `byte` and returns whether it was next, or `nil` at the end.
        func take(_ byte: Character) -> Bool? {
            skipSpace()
            guard index < text.count else { return nil }
            guard text[index] == byte.asciiValue else { return false }
            index += 1
            return true
        }
        /// Returns a string with its quotes, or `nil` if its end has not arrived.
        func string() -> [UInt8]? {
            let start = index
            index += 1
            while index < text.count, text[index] != UInt8(ascii: "\"") {
                index += text[index] == UInt8(ascii: "\\") ? 2 : 1
            }
            guard index < text.count else { return nil }
            index += 1
            return Array(text[start..<index])
        }
        var name = ""
        for (opening, keys) in [("{", ["name"]), (",", ["arguments", "parameters"])] as [(Character, [String])] {
            guard let isOpen = take(opening) else { return .incomplete }
            skipSpace()
            guard isOpen, index >= text.count || text[index] == UInt8(ascii: "\"") else { return .other }
            guard index < text.count, let key = string(), let hasColon = take(":") else { return .incomplete }
            guard hasColon, keys.contains(where: { key.elementsEqual("\"\($0)\"".utf8) }) else { return .other }
            skipSpace()
            guard index < text.count else { return .incomplete }
            if opening == "{" {
                guard text[index] == UInt8(ascii: "\"") else { return .other }
                guard let value = string() else { return .incomplete }
                guard let parsed = (try? JSONValue(parsing: value))?.string, !parsed.isEmpty else { return .other }
                name = parsed
            }
        }
        return text[index] == UInt8(ascii: "{") ? .found(name, index) : .other
    }
}
