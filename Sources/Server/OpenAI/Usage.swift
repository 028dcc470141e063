import JSON

/// The token usage of a request.
struct Usage: Sendable, Hashable {
    /// Each prompt once, however many choices it has.
    var promptTokens: Int
    /// Over all choices.
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
