import HTTPTypes

/// A row of the table of routes.
struct RouteEntry: Sendable {
    /// The kind of handler of a route.
    enum Answer: Sendable {
        /// Replies with output of the model.
        case generation(Endpoint)
        /// Tokenizes, detokenizes or renders off the loop.
        case text(TextEndpoint)
        /// Replies immediately on the loop.
        case immediate(@Sendable (Routes) -> (RoutedRequest) -> Void)
    }

    /// The access control of a route, if the server has API keys.
    enum Access: Sendable {
        case everyone
        /// Clients that send a key.
        case keys
        /// Clients that send a key, if metrics need one.
        case metrics
    }

    /// The path. `{name}` at its end matches the rest of a request's path.
    let path: String
    let answer: Answer
    let access: Access
    /// Whether requests for it are frequent and logged at a lower level.
    let isProbe: Bool
    /// Whether errors have the form of Anthropic's API.
    let isAnthropic: Bool

    init(
        _ path: String, _ answer: Answer, access: Access = .keys, isProbe: Bool = false, isAnthropic: Bool = false
    ) {
        self.path = path
        self.answer = answer
        self.access = access
        self.isProbe = isProbe
        self.isAnthropic = isAnthropic
    }

    /// The allowed methods. Requests that are prepared have a body; all others only read.
    var methods: [HTTPRequest.Method] {
        switch answer {
        case .generation, .text: [.post]
        case .immediate: [.get, .head]
        }
    }
}
