/// A call that is a function element with an element for each parameter, which are given out one by one as members of a JSON
/// object.
struct XMLCallScanner: Sendable {
    private static let function = Array("<function=".utf8)
    private static let functionEnd = Array("</function>".utf8)
    private static let parameter = Array("<parameter=".utf8)
    private static let parameterEnd = Array("</parameter>".utf8)

    private let tools: ToolParameters
    private var name: String?
    private var parameters = 0
    private var isClosed = false

    init(_ tools: ToolParameters) {
        self.tools = tools
    }

    mutating func scan(
        _ pending: inout [UInt8], isLast: Bool, _ give: (CallScanner.Part) -> Void
    ) -> CallScanner.Outcome {
        if name == nil {
            switch Self.name(pending) {
            case .incomplete: return isLast ? .noCall : .incomplete
            case .other: return .noCall
            case .found(let found, let end):
                pending.removeSubrange(..<end)
                name = found
                give(.name(found))
            }
        }
        while true {
            // What comes first counts: a value may hold any of the tags but its own end.
            let tags = [Self.parameter, Self.functionEnd, ChatOutputParser.callClosing]
            let found = tags.compactMap { tag in pending.firstRange(of: tag).map { (range: $0, tag: tag) } }
                .min { $0.range.lowerBound < $1.range.lowerBound }
            guard let found, found.tag != Self.parameter || takeParameter(&pending, found.range, give) else {
                if isLast { pending = [] }
                return isLast ? .complete : .incomplete
            }
            if found.tag == Self.parameter { continue }
            pending.removeSubrange(..<found.range.upperBound)
            if !isClosed { give(.arguments(parameters == 0 ? "{}" : "}")) }
            isClosed = true
            if found.tag == ChatOutputParser.callClosing { return .complete }
        }
    }

    private enum Name {
        case incomplete
        case other
        /// The name, and where what follows begins.
        case found(String, Int)
    }

    private static func name(_ text: [UInt8]) -> Name {
        let start = Array(text.drop { $0.isSpace })
        guard start.starts(with: function) else { return function.starts(with: start) ? .incomplete : .other }
        let name = start.dropFirst(function.count).prefix { $0 != UInt8(ascii: ">") && $0 != UInt8(ascii: "<") }
        guard name.endIndex < start.count else { return .incomplete }
        guard !name.isEmpty, start[name.endIndex] == UInt8(ascii: ">") else { return .other }
        return .found(String(decoding: name, as: UTF8.self), text.count - start.count + name.endIndex + 1)
    }

    /// Takes a parameter whose tag begins at `opening`; returns whether it is complete.
    private mutating func takeParameter(
        _ pending: inout [UInt8], _ opening: Range<Int>, _ give: (CallScanner.Part) -> Void
    ) -> Bool {
        guard let keyEnd = pending.firstRange(of: [UInt8(ascii: ">")], from: opening.upperBound),
            let closing = pending.firstRange(of: Self.parameterEnd, from: keyEnd.upperBound)
        else { return false }
        let key = String(decoding: pending[opening.upperBound..<keyEnd.lowerBound], as: UTF8.self)
        var value = pending[keyEnd.upperBound..<closing.lowerBound]
        if value.first == UInt8(ascii: "\n") { value.removeFirst() }
        if value.last == UInt8(ascii: "\n") { value.removeLast() }
        var text: [UInt8] = Array((parameters == 0 ? "{" : ", ").utf8)
        JSONValue.writeString(key, to: &text)
        text += ": ".utf8
        tools.value(Array(value), of: key, in: name ?? "").write(to: &text)
        pending.removeSubrange(..<closing.upperBound)
        // Behind the function's end there are no parameters.
        guard !isClosed else { return true }
        parameters += 1
        give(.arguments(String(decoding: text, as: UTF8.self)))
        return true
    }
}

/// Which parameters of the tools are text, as their schemas say; what is no text is JSON.
struct ToolParameters: Sendable {
    /// (tool, parameter)
    private var texts: [String: Set<String>] = [:]
    let isEmpty: Bool

    init(_ tools: [JSONValue]) {
        isEmpty = tools.isEmpty
        for tool in tools {
            guard let function = tool["function"], let name = function["name"]?.string else { continue }
            for (key, schema) in function["parameters"]?["properties"]?.object ?? [:]
            where schema["type"] == "string" || schema["enum"]?.array?.allSatisfy({ $0.string != nil }) == true {
                texts[name, default: []].insert(key)
            }
        }
    }

    func value(_ bytes: [UInt8], of key: String, in tool: String) -> JSONValue {
        let text = JSONValue.string(String(decoding: bytes, as: UTF8.self))
        if texts[tool]?.contains(key) == true { return text }
        return (try? JSONValue(parsing: bytes)) ?? text
    }
}
