import JSON

/// The token usage of a request.
struct Usage: Sendable, Hashable {
    /// The number of prompt tokens. Each prompt counts once, regardless of its number of choices.
    var promptTokens: Int
    /// The number of completion tokens of all choices.
    var completionTokens: Int
    /// Prompt tokens that came from the prefix cache.
    var cachedTokens: Int
    /// Completion tokens that are reasoning.
    var reasoningTokens = 0

    var json: JSONValue {
        [
            "prompt_tokens": .integer(promptTokens), "completion_tokens": .integer(completionTokens),
            "total_tokens": .integer(promptTokens + completionTokens),
            "prompt_tokens_details": ["cached_tokens": .integer(cachedTokens)],
            "completion_tokens_details": ["reasoning_tokens": .integer(reasoningTokens)],
        ]
    }
}
