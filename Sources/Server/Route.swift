import Foundation
import HTTPTypes

/// Every path that is served; `openapi.yaml` has the same list, and a test holds them together.
enum Route: Equatable, Sendable {
    case completions
    case chatCompletions
    case chatPrompt
    case responses
    case messages
    case messageTokens
    case tokenize
    case detokenize
    case tokenizerInfo
    case models
    case model(String)
    case health
    case ready
    case metrics
    case version

    /// The route of `path`, which has no query; `nil`: there is none.
    init?(path: String) {
        switch path {
        case "/v1/completions": self = .completions
        case "/v1/chat/completions": self = .chatCompletions
        case "/v1/chat/completions/render": self = .chatPrompt
        case "/v1/responses": self = .responses
        case "/v1/messages": self = .messages
        case "/v1/messages/count_tokens": self = .messageTokens
        case "/tokenize": self = .tokenize
        case "/detokenize": self = .detokenize
        case "/tokenizer_info": self = .tokenizerInfo
        case "/v1/models": self = .models
        case "/health": self = .health
        case "/ready": self = .ready
        case "/metrics": self = .metrics
        case "/version": self = .version
        default:
            let prefix = "/v1/models/"
            guard path.hasPrefix(prefix), path.utf8.count > prefix.utf8.count,
                let name = String(path.dropFirst(prefix.count)).removingPercentEncoding
            else { return nil }
            self = .model(name)
        }
    }

    var methods: [HTTPRequest.Method] {
        switch self {
        case .completions, .chatCompletions, .chatPrompt, .responses, .messages, .messageTokens, .tokenize, .detokenize:
            [.post]
        default: [.get, .head]
        }
    }
}
