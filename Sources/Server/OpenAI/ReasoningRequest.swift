import JSON

/// The reasoning settings of a chat, in the forms of OpenAI, OpenRouter, DashScope and Anthropic.
struct ReasoningRequest {
    /// `reasoning_effort`, or `reasoning.effort`.
    private(set) var effort: String?
    /// Whether to reason at all; nil: the template's default.
    private(set) var isEnabled: Bool?
    /// The maximum number of reasoning tokens; nil: no limit, or that of `thinking_token_budget`.
    private(set) var budget: Int?
    /// Whether to leave the reasoning out of the reply.
    private(set) var isHidden = false

    static let efforts = ["none", "minimal", "low", "medium", "high", "xhigh", "max"]

    init(_ reader: inout FieldReader) throws(APIError) {
        effort = try reader.word("reasoning_effort", among: Self.efforts)
        try readReasoning(&reader)
        isEnabled = effort.map { $0 != "none" } ?? isEnabled
        try readThinking(&reader)
        if let value = try reader.bool("enable_thinking") { isEnabled = value }
    }

    /// Reads OpenRouter's `reasoning`, which includes the members of OpenAI's Responses API.
    private mutating func readReasoning(_ reader: inout FieldReader) throws(APIError) {
        guard var reasoning = try reader.reader("reasoning") else { return }
        effort = try reasoning.word("effort", among: Self.efforts) ?? effort
        isEnabled = try reasoning.bool("enabled")
        budget = try reasoning.integer("max_tokens", in: 0...Int.max)
        isHidden = try reasoning.bool("exclude") ?? false
        // The reply has the reasoning itself, so a summary is not needed.
        for name in ["summary", "generate_summary"] { _ = reasoning.value(name) }
        try reasoning.finish()
    }

    /// Reads Anthropic's `thinking`, or a boolean.
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
