import HTTPTypes

/// An endpoint of the server. A test checks that `openapi.yaml` has the same list.
enum Route: Int, CaseIterable, Sendable {
    case completions, chatCompletions, responses, messages, embeddings
    case chatPrompt, messageTokens, responseTokens, tokenize, detokenize
    case models, model, tokenizerInfo
    case health, ready, ping, metrics, load, version, properties
    case openAPIJSON, openAPIYAML, page

    /// The route's row in the table of all routes.
    var entry: RouteEntry { Self.table[rawValue] }

    /// Created once, because every request uses it several times.
    private static let table = allCases.map(\.row)

    private var row: RouteEntry {
        switch self {
        case .completions: .init("/v1/completions", .generation(.completions))
        case .chatCompletions: .init("/v1/chat/completions", .generation(.chat))
        case .responses: .init("/v1/responses", .generation(.responses))
        case .messages: .init("/v1/messages", .generation(.messages), isAnthropic: true)
        case .embeddings: .init("/v1/embeddings", .generation(.embeddings))
        case .chatPrompt: .init("/v1/chat/completions/render", .text(.chatPrompt))
        case .messageTokens: .init("/v1/messages/count_tokens", .text(.messageTokens), isAnthropic: true)
        case .responseTokens: .init("/v1/responses/input_tokens", .text(.responseTokens))
        case .tokenize: .init("/tokenize", .text(.tokenize))
        case .detokenize: .init("/detokenize", .text(.detokenize))
        case .models: .init("/v1/models", .immediate(Routes.sendModels))
        case .model: .init("/v1/models/{model}", .immediate(Routes.sendModel))
        case .tokenizerInfo: .init("/tokenizer_info", .immediate(Routes.sendTokenizerInfo))
        case .health: .init("/health", .immediate(Routes.sendHealth), access: .everyone, isProbe: true)
        case .ready: .init("/ready", .immediate(Routes.sendReadiness), access: .everyone, isProbe: true)
        case .ping: .init("/ping", .immediate(Routes.sendReadiness), access: .everyone, isProbe: true)
        case .metrics: .init("/metrics", .immediate(Routes.sendMetrics), access: .metrics, isProbe: true)
        case .load: .init("/load", .immediate(Routes.sendLoad))
        case .version: .init("/version", .immediate(Routes.sendVersion), access: .everyone)
        case .properties: .init("/props", .immediate(Routes.sendProperties))
        case .openAPIJSON: .init("/openapi.json", .immediate(Routes.sendOpenAPIJSON), access: .everyone)
        case .openAPIYAML: .init("/openapi.yaml", .immediate(Routes.sendOpenAPIYAML), access: .everyone)
        // The page itself asks the user for the key.
        case .page: .init("/", .immediate(Routes.sendPage), access: .everyone)
        }
    }
}

extension Route {
    /// The path, with a placeholder for the variable part.
    var pattern: String { entry.path }

    var methods: [HTTPRequest.Method] { entry.methods }

    /// Whether errors have the form of Anthropic's API.
    var isAnthropic: Bool { entry.isAnthropic }

    /// Whether it is a probe or a scrape. These are frequent and are logged at a lower level.
    var isProbe: Bool { entry.isProbe }

    /// Whether it takes a body. Such requests count against rate limits.
    var prepares: Bool { methods == [.post] }

    /// Whether clients must send an API key, if there are keys.
    func needsKey(_ configuration: ServerConfiguration) -> Bool {
        switch entry.access {
        case .everyone: false
        case .keys: true
        case .metrics: configuration.metricsNeedKey
        }
    }
}
