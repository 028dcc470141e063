/// The syntax of a model's replies: how reasoning and tool calls are written.
public struct ChatOutputSyntax: Sendable, Hashable {
    /// How calls are written, each between `<tool_call>` and `</tool_call>`.
    public enum Calls: Sendable, Hashable {
        /// `{"name": ..., "arguments": {...}}`, as Hermes models write it.
        case json
        /// `<function=name><parameter=key>value</parameter></function>`, as Qwen3-Coder writes it.
        case xml
    }

    /// Whether text between `<think>` and `</think>` is reasoning.
    public var reasons: Bool
    /// Whether a reply begins inside reasoning unless the prompt says otherwise.
    public var beginsInReasoning: Bool
    /// `nil`: the model calls no tools.
    public var calls: Calls?

    public init(reasons: Bool = false, beginsInReasoning: Bool = false, calls: Calls? = nil) {
        self.reasons = reasons
        self.beginsInReasoning = beginsInReasoning
        self.calls = calls
    }

    /// Derives the format from a chat template: templates write earlier turns in the format of the model's output.
    public init(template: String) {
        func contains(_ text: String) -> Bool { Array(template.utf8).firstRange(of: Array(text.utf8)) != nil }
        reasons = contains("think>")
        beginsInReasoning = false
        calls = !contains("<tool_call>") ? nil : contains("<function=") ? .xml : .json
    }
}

/// A part of a reply, in the order of its text.
public enum ChatOutputEvent: Sendable, Hashable {
    case reasoning(String)
    case content(String)
    /// A call begins; calls are numbered from 0.
    case call(index: Int, name: String)
    /// More of the last call's arguments, which joined are one JSON object.
    case arguments(index: Int, String)
}

extension Array where Element == UInt8 {
    /// Where `pattern` occurs first from `start` on.
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
