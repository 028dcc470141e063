/// The syntax of a model's replies: how reasoning and tool calls are written.
public struct ChatOutputSyntax: Sendable, Hashable {
    /// The format of calls. Each call is between `<tool_call>` and `</tool_call>`.
    public enum Calls: Sendable, Hashable {
        /// `{"name": ..., "arguments": {...}}`, the format of Hermes models.
        case json
        /// `<function=name><parameter=key>value</parameter></function>`, the format of Qwen3-Coder.
        case xml
    }

    /// Whether text between `<think>` and `</think>` is reasoning.
    public var reasons: Bool
    /// Whether a reply begins inside reasoning, unless the prompt opens or closes it.
    public var beginsInReasoning: Bool
    /// The format of calls, or `nil` if the model cannot call tools.
    public var calls: Calls?

    public init(reasons: Bool = false, beginsInReasoning: Bool = false, calls: Calls? = nil) {
        self.reasons = reasons
        self.beginsInReasoning = beginsInReasoning
        self.calls = calls
    }

    /// Derives the syntax from a chat template, which writes earlier turns in the format of the model's output.
    public init(template: String) {
        func contains(_ text: String) -> Bool { Array(template.utf8).firstRange(of: Array(text.utf8)) != nil }
        reasons = contains("think>")
        beginsInReasoning = false
        calls = !contains("<tool_call>") ? nil : contains("<function=") ? .xml : .json
    }
}

/// A part of a reply. Events are in the order of the text.
public enum ChatOutputEvent: Sendable, Hashable {
    case reasoning(String)
    case content(String)
    /// The beginning of a call. Calls are numbered from 0.
    case call(index: Int, name: String)
    /// More of the arguments of the last call. The concatenated arguments are one JSON object.
    case arguments(index: Int, String)
}

extension Array where Element == UInt8 {
    /// Returns the first range of `pattern` at or after `start`.
    func firstRange(of pattern: [UInt8], from start: Int = 0) -> Range<Int>? {
        guard let first = pattern.first else { return start..<start }
        var index = start
        while index + pattern.count <= count {
            if self[index] == first, self[index..<index + pattern.count].elementsEqual(pattern) {
                return index..<index + pattern.count
            }
            index += 1
        }
        return nil
    }
}

extension UInt8 {
    /// Space, tab, line feed and carriage return.
    var isSpace: Bool { self == 0x20 || self == 0x09 || self == 0x0A || self == 0x0D }
}
