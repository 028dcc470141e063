import HTTPTypes

/// A row of the table of routes.
struct RouteEntry {
    /// How requests for a route are answered.
    enum Answer {
        /// With what the model generates.
        case generation(Endpoint)
        /// With something about text and tokens, which is computed off the loop.
        case text(TextEndpoint)
        /// At once, from what is known on the loop.
        case immediate((Routes) -> (RoutedRequest) -> Void)
    }

    /// Who gets an answer, if the server has API keys.
    enum Access {
        case everyone
        /// Clients that send a key.
        case keys
        /// Clients that send a key, if metrics need one.
        case metrics
    }

    /// `{name}` at its end stands for the rest of the path.
    let path: String
    let answer: Answer
    let access: Access
    /// Whether it is asked for every few seconds and says nothing new.
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

    /// What is prepared has a body; everything else is only read.
    var methods: [HTTPRequest.Method] {
        switch answer {
        case .generation, .text: [.post]
        case .immediate: [.get, .head]
        }
    }
}
