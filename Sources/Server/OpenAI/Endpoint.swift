/// The endpoints that generate, and how their requests and replies differ in name.
enum Endpoint: Sendable, CaseIterable {
    case completions, chat
    /// Anthropic's Messages API, a translation of `chat`.
    case messages
    /// OpenAI's Responses API, another.
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

    /// How many tokens are generated when the request does not say; `nil`: as many as fit.
    var defaultMaxTokens: Int? { isChat ? nil : 16 }
}
