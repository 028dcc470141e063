import Engine

/// The phase of the server's life cycle, and its model.
struct ServingState {
    enum Phase {
        case loading
        case ready
        /// Finishes the current requests.
        case draining
        /// Has aborted the remaining requests.
        case stopping
    }

    private(set) var phase = Phase.loading
    /// Set with the model, and kept while draining.
    private(set) var serving: Serving?
    /// The loaded model; also set if the server drains before loading ends.
    var loadedModel: LoadedModel?

    /// Whether new requests are refused permanently.
    var isEnding: Bool {
        switch phase {
        case .loading, .ready: false
        case .draining, .stopping: true
        }
    }

    /// The model for a new request.
    ///
    /// - Throws: the `APIError` of a server that is not ready yet, or is stopping.
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

    /// Running requests are aborted, too.
    mutating func stop() { phase = .stopping }
}
