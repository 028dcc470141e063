/// The two endpoints that generate, and how their requests and replies differ in name.
enum Endpoint: Sendable, CaseIterable {
    case completions, chat

    /// How the id of a reply begins.
    var idPrefix: String {
        switch self {
        case .completions: "cmpl-"
        case .chat: "chatcmpl-"
        }
    }

    /// The `object` of a whole reply.
    var object: String {
        switch self {
        case .completions: "text_completion"
        case .chat: "chat.completion"
        }
    }

    /// The `object` of one event of a stream.
    var chunkObject: String {
        switch self {
        case .completions: "text_completion"
        case .chat: "chat.completion.chunk"
        }
    }

    /// The parameter that holds the prompt.
    var promptParameter: String {
        switch self {
        case .completions: "prompt"
        case .chat: "messages"
        }
    }

    /// How many tokens are generated when the request does not say; `nil`: as many as fit.
    var defaultMaxTokens: Int? {
        switch self {
        case .completions: 16
        case .chat: nil
        }
    }
}
