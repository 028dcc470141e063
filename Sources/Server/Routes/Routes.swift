import Engine
import HTTP
import Logging
import Scheduling

/// Answers requests, each as its ``Route`` says. Owned by the event loop, but knows neither loop nor thread: what it wants done
/// it says in ``RoutesAction``s, so that a simulation can drive it too.
final class Routes {
    var engine: (any InferenceEngine)?
    /// Whether the engine gets on; `nil`: nobody looks.
    var watchdog: Watchdog?
    var state = ServingState()
    var admission: AdmissionController
    var responses = ResponseRegistry()
    var requestMetrics = RequestMetrics()
    var metrics: Metrics
    var statistics = EngineStatistics()
    var accessLog: AccessLog
    /// When the TLS certificate in use expires, in Unix time; `nil` without TLS.
    var certificateEnd: Int?
    /// What is known of each request that has not ended.
    var requests: [ExchangeID: RequestContext] = [:]
    var requestIDs = RequestIDSource()
    var rateLimiter = RateLimiter()
    /// The tenants of requests whose body or reply is being worked on off the loop. The client may be gone.
    var preparing: [ExchangeID: String] = [:]
    /// Whether silent streams are being looked after.
    var watchesStreams = false
    /// Seeds of requests that give none.
    var random = RandomSource()
    var actions: [RoutesAction] = []
    let configuration: ServerConfiguration
    let keys: KeyRing
    let screening: RequestScreening
    let logger: Logger
    let now: () -> ContinuousClock.Instant

    /// - Parameter now: the clock of deadlines and rates.
    init(
        configuration: ServerConfiguration, keys: KeyRing, logger: Logger,
        now: @escaping () -> ContinuousClock.Instant = { .now }
    ) {
        self.configuration = configuration
        self.keys = keys
        screening = RequestScreening(configuration, keys: keys)
        self.logger = logger
        self.now = now
        accessLog = AccessLog(logger: logger)
        admission = AdmissionController(
            running: configuration.engine.maxSequences, waiting: configuration.engine.maxQueuedSequences,
            bounds: configuration.queueBounds)
        metrics = Metrics(maxModelLength: configuration.engine.maxModelLength ?? 131_072)
    }

    /// The actions since the last call, in order.
    func takeActions() -> [RoutesAction] {
        defer { actions = [] }
        return actions
    }

    /// Lets a request in, and has its route answer it.
    func receive(_ message: HTTPMessage, exchange: ExchangeID) {
        guard let match = admit(message, exchange) else { return }
        switch match.route.entry.answer {
        case .generation(let endpoint):
            prepare(message, exchange) { .generation(endpoint, body: $0) }
        case .text(let endpoint):
            prepare(message, exchange) { .text(endpoint, body: $0) }
        case .immediate(let send):
            send(self)(RoutedRequest(exchange: exchange, message: message, match: match))
        }
    }

    /// Forgets an exchange; what still works for it is stopped.
    func ended(_ exchange: ExchangeID, outcome: ExchangeOutcome) {
        accessLog.end(exchange, outcome)
        if let request = requests.removeValue(forKey: exchange), let status = request.status {
            metrics.replies.add(route: request.route, method: request.method.rawValue, status: status.code)
        }
        if preparing[exchange] != nil { actions.append(.cancelPreparation(exchange)) }
        let abandoned = responses.remove(exchange)
        if !abandoned.isEmpty { engine?.abort(abandoned) }
        finishDrainIfIdle()
    }
}
