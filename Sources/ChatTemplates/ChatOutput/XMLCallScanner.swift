import JSON

/// A call written as a function element with an element for each parameter. Parameters are emitted one by one as members of a
/// JSON object.
///
/// Each byte is scanned once, however the text is split: after a search without a match, the next search starts where the
/// previous one ended.
struct XMLCallScanner: Sendable {
    private enum Phase: Sendable {
        case name
        /// Outside parameters.
        case between
        /// After `<parameter=`.
        case key
        /// After the `>` of the parameter `key`.
        case value(key: String)
    }

    private static let function = Array("<function=".utf8)
    private static let functionEnd = Array("</function>".utf8)
    private static let parameter = Array("<parameter=".utf8)
    private static let parameterEnd = Array("</parameter>".utf8)
    private static let tags = [parameter, functionEnd, ChatOutputParser.callClosing]

    private let tools: ToolParameters
    private var phase = Phase.name
    private var name = ""
    private var parameters = 0
    private var isClosed = false
    /// The number of pending bytes that do not contain what the current phase searches for.
    private var searched = 0

    init(_ tools: ToolParameters) {
        self.tools = tools
    }

    mutating func scan(
        _ pending: inout PendingText, isLast: Bool, _ give: (CallScanner.Part) -> Void
    ) -> CallScanner.Outcome {
        while true {
            let found: Bool
            switch phase {
            case .name:
                switch takeName(&pending) {
                case .incomplete: return isLast ? .noCall : .incomplete
                case .other: return .noCall
                case .found: found = true
                }
                give(.name(name))
                enter(.between)
            case .between:
                // The first tag decides, because a value may contain any of the tags except its own closing tag.
                guard let match = pending.firstTag(of: Self.tags) else {
                    pending.drop(pending.count - pending.openSuffix(of: Self.tags))
                    found = false
                    break
                }
                found = true
                pending.drop(match.range.upperBound)
                if match.tag == Self.parameter {
                    enter(.key)
                    break
                }
                if !isClosed { give(.arguments(parameters == 0 ? "{}" : "}")) }
                isClosed = true
                if match.tag == ChatOutputParser.callClosing { return .complete }
            case .key: found = takeKey(&pending)
            case .value(let key): found = takeValue(of: key, &pending, give)
            }
            guard !found else { continue }
            if isLast { pending.removeAll() }
            return isLast ? .complete : .incomplete
        }
    }

    private mutating func enter(_ next: Phase) {
        phase = next
        searched = 0
    }

    private enum Name {
        case incomplete
        case other
        case found
    }

    private mutating func takeName(_ pending: inout PendingText) -> Name {
        // Before the name, only white space has been scanned.
        let start = pending.endOfSpace(from: min(searched, pending.count))
        searched = max(searched, start)
        let opening = pending.slice(start..<min(start + Self.function.count, pending.count))
        guard opening.elementsEqual(Self.function) else {
            return Self.function.starts(with: opening) ? .incomplete : .other
        }
        let first = start + Self.function.count
        nameEnd = max(nameEnd, first)
        while nameEnd < pending.count, pending[nameEnd] != UInt8(ascii: ">"), pending[nameEnd] != UInt8(ascii: "<") {
            nameEnd += 1
        }
        guard nameEnd < pending.count else { return .incomplete }
        guard nameEnd > first, pending[nameEnd] == UInt8(ascii: ">") else { return .other }
        name = pending.string(first..<nameEnd)
        pending.drop(nameEnd + 1)
        return .found
    }

    /// The number of bytes scanned in the function's name.
    private var nameEnd = 0

    private mutating func takeKey(_ pending: inout PendingText) -> Bool {
        guard let end = pending.firstIndex(of: UInt8(ascii: ">"), from: searched) else {
            searched = pending.count
            return false
        }
        let key = pending.string(0..<end)
        pending.drop(end + 1)
        enter(.value(key: key))
        return true
    }

    private mutating func takeValue(
        of key: String, _ pending: inout PendingText, _ give: (CallScanner.Part) -> Void
    ) -> Bool {
        guard let closing = pending.firstTag(of: [Self.parameterEnd], from: searched)?.range else {
            searched = pending.count - pending.openSuffix(of: [Self.parameterEnd])
            return false
        }
        var value = pending.slice(0..<closing.lowerBound)
        if value.first == UInt8(ascii: "\n") { value.removeFirst() }
        if value.last == UInt8(ascii: "\n") { value.removeLast() }
        // Parameters after the end of the function are ignored.
        if !isClosed {
            var text: [UInt8] = Array((parameters == 0 ? "{" : ", ").utf8)
            JSONValue.writeString(key, to: &text)
            text += ": ".utf8
            tools.value(Array(value), of: key, in: name).write(to: &text)
            parameters += 1
            give(.arguments(String(decoding: text, as: UTF8.self)))
        }
        pending.drop(closing.upperBound)
        enter(.between)
        return true
    }
}
