import Foundation
import HTTPTypes

/// Every path that is served; `openapi.yaml` has the same list, and a test holds them together.
enum Route: Equatable, Sendable {
    case page
    case completions
    case chatCompletions
    case chatPrompt
    case responses
    case messages
    case embeddings
    case messageTokens
    case responseTokens
    case tokenize
    case detokenize
    case tokenizerInfo
    case models
    case model(String)
    case health
    case ready
    case metrics
    case version
    case ping
    case load
    case properties
    case description(isYAML: Bool)

    /// The route of `path`, which has no query; `nil`: there is none. Clients put their base URL and the path together with a
    /// slash too many, and their users leave `/v1` out of it: neither could mean anything else.
    init?(path: String) {
        let path = Self.normalized(path)
        switch path {
        case "/": self = .page
        case "/v1/completions": self = .completions
        case "/v1/chat/completions": self = .chatCompletions
        case "/v1/chat/completions/render": self = .chatPrompt
        case "/v1/responses": self = .responses
        case "/v1/messages": self = .messages
        case "/v1/embeddings": self = .embeddings
        case "/v1/messages/count_tokens": self = .messageTokens
        case "/v1/responses/input_tokens": self = .responseTokens
        case "/tokenize": self = .tokenize
        case "/detokenize": self = .detokenize
        case "/tokenizer_info": self = .tokenizerInfo
        case "/v1/models": self = .models
        case "/health": self = .health
        case "/ready": self = .ready
        case "/metrics": self = .metrics
        case "/version": self = .version
        case "/ping": self = .ping
        case "/load": self = .load
        case "/props": self = .properties
        case "/openapi.json": self = .description(isYAML: false)
        case "/openapi.yaml": self = .description(isYAML: true)
        default:
            let prefix = "/v1/models/"
            guard path.hasPrefix(prefix), path.utf8.count > prefix.utf8.count,
                let name = String(path.dropFirst(prefix.count)).removingPercentEncoding
            else { return nil }
            self = .model(name)
        }
    }

    /// The path, with a name in place of what varies.
    var pattern: String {
        switch self {
        case .page: "/"
        case .completions: "/v1/completions"
        case .chatCompletions: "/v1/chat/completions"
        case .chatPrompt: "/v1/chat/completions/render"
        case .responses: "/v1/responses"
        case .messages: "/v1/messages"
        case .embeddings: "/v1/embeddings"
        case .messageTokens: "/v1/messages/count_tokens"
        case .responseTokens: "/v1/responses/input_tokens"
        case .tokenize: "/tokenize"
        case .detokenize: "/detokenize"
        case .tokenizerInfo: "/tokenizer_info"
        case .models: "/v1/models"
        case .model: "/v1/models/{model}"
        case .health: "/health"
        case .ready: "/ready"
        case .metrics: "/metrics"
        case .version: "/version"
        case .ping: "/ping"
        case .load: "/load"
        case .properties: "/props"
        case .description(let isYAML): isYAML ? "/openapi.yaml" : "/openapi.json"
        }
    }

    /// What follows `/v1` of the APIs of OpenAI and Anthropic.
    private static let versioned: Set<Substring> = [
        "completions", "chat", "responses", "messages", "models", "embeddings",
    ]

    /// `path` without slashes that say nothing, and with `/v1`.
    private static func normalized(_ path: String) -> String {
        var parts = path.split(separator: "/")
        if let first = parts.first, versioned.contains(first) { parts.insert("v1", at: 0) }
        return "/" + parts.joined(separator: "/")
    }

    /// Whether errors have the form of Anthropic's API.
    var isAnthropic: Bool { self == .messages || self == .messageTokens }

    /// Probes and scrapes come every few seconds and say nothing new.
    var isProbe: Bool { [.health, .ready, .metrics, .ping].contains(self) }

    var methods: [HTTPRequest.Method] {
        switch self {
        case .completions, .chatCompletions, .chatPrompt, .responses, .responseTokens, .messages, .messageTokens,
            .embeddings,
            .tokenize, .detokenize:
            [.post]
        default: [.get, .head]
        }
    }
}
