import Engine
import HTTP
import Logging
import Scheduling

/// Handles requests, each with the handler of its ``Route``. Owned by the event loop, but independent of loops and threads. It
/// requests effects as ``RoutesAction``s, so that a simulation can run it, too.
final class Routes {
    var engine: (any InferenceEngine)?
    /// Detects a stalled engine; `nil`: there is no watchdog.
    var watchdog: Watchdog?
    var state = ServingState()
    var admission: AdmissionController
    var responses = ResponseRegistry()
    var requestMetrics = RequestMetrics()
    var metrics: Metrics
    /// The text of the last scrape.
    var metricsPage: PrometheusText
    var statistics = EngineStatistics()
    var accessLog: AccessLog
    /// When the TLS certificate in use expires, in Unix time; `nil` without TLS.
    var certificateEnd: Int?
    /// The state of each request that has not ended.
    var requests: [ExchangeID: RequestContext] = [:]
    var requestIDs = RequestIDSource()
    var rateLimiter = RateLimiter()
    /// The tenants of requests whose body or reply is being processed off the loop. The client may have left.
    var preparing: [ExchangeID: String] = [:]
    /// Whether silent streams are checked at intervals.
    var watchesStreams = false
    /// The source of seeds for requests without one.
    var random = RandomSource()
    var actions: [RoutesAction] = []
    let configuration: ServerConfiguration
    let keys: KeyRing
    let screening: RequestScreening
    let logger: Logger
    let now: () -> ContinuousClock.Instant

    /// - Parameter now: the clock for deadlines and rates.
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
        metricsPage = Metrics.page(modelName: configuration.servedModelName)
        metrics = Metrics(maxModelLength: configuration.engine.maxModelLength ?? 131_072)
    }

    /// Returns the actions since the last call, in order.
    func takeActions() -> [RoutesAction] {
        defer { actions = [] }
        return actions
    }

    /// Admits a request and passes it to the handler of its route.
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

    /// Removes an exchange and cancels its remaining work.
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
