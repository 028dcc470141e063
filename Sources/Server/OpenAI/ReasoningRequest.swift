import JSON

/// How much a chat's model is to reason, in the spellings of OpenAI, OpenRouter, DashScope and Anthropic.
struct ReasoningRequest {
    /// `reasoning_effort`, or `reasoning.effort`.
    private(set) var effort: String?
    /// Whether it is to reason at all; nil: as the template has it.
    private(set) var isEnabled: Bool?
    /// The most tokens of reasoning; nil: as many as it likes, or as `thinking_token_budget` says.
    private(set) var budget: Int?
    /// Whether the reply is to leave its reasoning out.
    private(set) var isHidden = false

    static let efforts = ["none", "minimal", "low", "medium", "high", "xhigh", "max"]

    init(_ reader: inout FieldReader) throws(APIError) {
        effort = try reader.word("reasoning_effort", among: Self.efforts)
        try readReasoning(&reader)
        isEnabled = effort.map { $0 != "none" } ?? isEnabled
        try readThinking(&reader)
        if let value = try reader.bool("enable_thinking") { isEnabled = value }
    }

    /// OpenRouter's `reasoning`, which has OpenAI's of the Responses API in it.
    private mutating func readReasoning(_ reader: inout FieldReader) throws(APIError) {
        guard var reasoning = try reader.reader("reasoning") else { return }
        effort = try reasoning.word("effort", among: Self.efforts) ?? effort
        isEnabled = try reasoning.bool("enabled")
        budget = try reasoning.integer("max_tokens", in: 0...Int.max)
        isHidden = try reasoning.bool("exclude") ?? false
        // The reply has the reasoning itself, whatever summary is asked for.
        for name in ["summary", "generate_summary"] { _ = reasoning.value(name) }
        try reasoning.finish()
    }

    /// Anthropic's `thinking`, or true or false.
    private mutating func readThinking(_ reader: inout FieldReader) throws(APIError) {
        if let value = reader.value("thinking")?.bool {
            isEnabled = value
        } else if var thinking = try reader.reader("thinking") {
            let type = try thinking.word("type", among: ["enabled", "disabled", "adaptive", "auto"])
            if let type, type != "auto" { isEnabled = type != "disabled" }
            budget = try thinking.integer("budget_tokens", in: 0...Int.max) ?? budget
            try thinking.finish()
        }
    }
}
