import Engine

/// How far the server is in its life, and what it answers with.
struct ServingState {
    enum Phase {
        case loading
        case ready
        /// Finishes what it has.
        case draining
        /// Has given up on what is left.
        case stopping
    }

    private(set) var phase = Phase.loading
    /// Set with the model, and kept while draining.
    private(set) var serving: Serving?
    /// The model as the engine has it; set also if the server drains before it is loaded.
    var loadedModel: LoadedModel?

    /// Whether new requests are refused for good.
    var isEnding: Bool {
        switch phase {
        case .loading, .ready: false
        case .draining, .stopping: true
        }
    }

    /// What a new request is answered with.
    ///
    /// - Throws: the `APIError` of a server that takes no requests yet, or no more.
    func ready() throws(APIError) -> Serving {
        switch phase {
        case .ready:
            guard let serving else { preconditionFailure("a ready server has a model") }
            return serving
        case .loading: throw .notReady(retryAfter: 2)
        case .draining, .stopping: throw .draining(retryAfter: 10)
        }
    }

    /// New requests are answered from now on.
    mutating func serve(_ serving: Serving) {
        self.serving = serving
        phase = .ready
    }

    /// New requests are refused from now on.
    mutating func drain() { phase = .draining }

    /// Running requests are given up, too.
    mutating func stop() { phase = .stopping }
}
