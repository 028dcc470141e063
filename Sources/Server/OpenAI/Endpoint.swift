/// The endpoints that run the model.
enum Endpoint: Sendable, CaseIterable {
    case completions, chat
    /// Anthropic's Messages API, a translation of `chat`.
    case messages
    /// OpenAI's Responses API, another translation of `chat`.
    case responses
    /// Computes prompts and generates nothing.
    case embeddings

    /// Whether the prompt is a conversation.
    var isChat: Bool { self != .completions && self != .embeddings }

    /// The parameter that holds the prompt.
    var promptParameter: String {
        switch self {
        case .completions: "prompt"
        case .chat, .messages: "messages"
        case .responses, .embeddings: "input"
        }
    }

    /// The default number of tokens to generate; `nil`: as many as fit.
    var defaultMaxTokens: Int? { isChat ? nil : 16 }
}
