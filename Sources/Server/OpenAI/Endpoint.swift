/// The endpoints that generate, and how their requests and replies differ in name.
enum Endpoint: Sendable, CaseIterable {
    case completions, chat
    /// Anthropic's Messages API, a translation of `chat`.
    case messages
    /// OpenAI's Responses API, another.
    case responses

    /// Whether the prompt is a conversation.
    var isChat: Bool { self != .completions }

    /// How the id of a reply begins.
    var idPrefix: String {
        switch self {
        case .completions: "cmpl-"
        case .chat: "chatcmpl-"
        case .messages: "msg_"
        case .responses: "resp_"
        }
    }

    /// The `object` of a whole reply.
    var object: String {
        switch self {
        case .completions: "text_completion"
        case .chat, .messages, .responses: "chat.completion"
        }
    }

    /// The `object` of one event of a stream.
    var chunkObject: String {
        switch self {
        case .completions: "text_completion"
        case .chat, .messages, .responses: "chat.completion.chunk"
        }
    }

    /// The parameter that holds the prompt.
    var promptParameter: String {
        switch self {
        case .completions: "prompt"
        case .chat, .messages: "messages"
        case .responses: "input"
        }
    }

    /// How many tokens are generated when the request does not say; `nil`: as many as fit.
    var defaultMaxTokens: Int? { isChat ? nil : 16 }
}
