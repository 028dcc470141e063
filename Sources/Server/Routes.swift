import Engine
import Foundation
import HTTP
import HTTPTypes
import JSON
import Logging
import Scheduling

/// Answers requests. Owned by the event loop, but knows neither loop nor thread: what it wants done it says in
/// ``RoutesAction``s, so that a simulation can drive it too.
final class Routes {
    /// How far the server is in its life.
    enum Phase {
        case loading
        case ready
        /// Finishes what it has.
        case draining
        /// Has given up on what is left.
        case stopping
    }

    var engine: (any InferenceEngine)?
    /// Whether the engine gets on; `nil`: nobody looks.
    var watchdog: Watchdog?
    private(set) var phase = Phase.loading
    /// Set with the model, and kept while draining.
    private(set) var serving: Serving?
    var admission: AdmissionController
    var responses = ResponseRegistry()
    var requestMetrics = RequestMetrics()
    var metrics: Metrics
    var statistics = EngineStatistics()
    private var loadedModel: LoadedModel?
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

    /// Whether the client is one of Anthropic's API, which has its own form of models under the same path.
    private func isAnthropic(_ message: HTTPMessage) -> Bool {
        HTTPField.Name("anthropic-version").map { message.head.headerFields.contains($0) } ?? false
    }

    func receive(_ message: HTTPMessage, exchange: ExchangeID) {
        let path = String((message.head.path ?? "/").prefix { $0 != "?" })
        guard let route = admit(message, path: path, exchange) else { return }
        switch route {
        case .page:
            guard configuration.servesPage else { return refuse(exchange, .notFound(path: path)) }
            reply(exchange, .ok, WebUI.fields, WebUI.body)
        case .completions: generate(.completions, message, exchange)
        case .chatCompletions: generate(.chat, message, exchange)
        case .responses: generate(.responses, message, exchange)
        case .messages: generate(.messages, message, exchange)
        case .embeddings: generate(.embeddings, message, exchange)
        case .chatPrompt: answer(.chatPrompt, message, exchange)
        case .messageTokens: answer(.messageTokens, message, exchange)
        case .responseTokens: answer(.responseTokens, message, exchange)
        case .tokenize: answer(.tokenize, message, exchange)
        case .detokenize: answer(.detokenize, message, exchange)
        case .tokenizerInfo:
            withServing(exchange) { serving in
                guard let text = serving.text else { return refuse(exchange, .notFound(path: path)) }
                reply(exchange, text.tokenizerInfo(of: serving.model))
            }
        case .models:
            withServing(exchange) { serving in
                reply(exchange, isAnthropic(message) ? serving.model.anthropicListJSON : serving.model.listJSON)
            }
        case .model(let name):
            withServing(exchange) { serving in
                do throws(APIError) {
                    reply(exchange, try serving.model.json(named: name, isAnthropic: isAnthropic(message)))
                } catch {
                    refuse(exchange, error)
                }
            }
        case .health:
            if isStalled { return refuse(exchange, .stalled(retryAfter: 10)) }
            reply(exchange, .ok, ServerStatus.fields, ServerStatus.health)
        case .ready, .ping: ready(exchange)
        case .load: load(exchange)
        case .properties: properties(exchange)
        case .description(let isYAML): describe(exchange, asYAML: isYAML)
        case .version:
            let version = ServerStatus.version(
                Application.version, kernels: loadedModel?.kernels, threads: loadedModel?.threads)
            reply(exchange, version)
        case .metrics:
            let text = metrics.render(moment())
            reply(exchange, .ok, [.contentType: PrometheusText.contentType], text)
        }
    }

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

    private func moment() -> Metrics.Moment {
        var moment = Metrics.Moment(modelName: configuration.servedModelName, model: loadedModel)
        moment.statistics = statistics
        (moment.running, moment.waiting, moment.preparing) = (admission.running, admission.waiting, admission.preparing)
        moment.openRequests = requests.count
        moment.process = .now()
        moment.isStalled = isStalled
        moment.certificateEnd = certificateEnd
        moment.includesOldNames = configuration.metricsIncludeOldNames
        return moment
    }

    // MARK: Life

    func modelLoaded(_ loaded: LoadedModel, text: TextPipeline?) {
        loadedModel = loaded
        metrics.modelLoaded(maxModelLength: loaded.maxModelLength)
        guard case .loading = phase else { return }
        serve(Serving(loaded, text: text, configuration, created: unixSeconds()))
    }

    /// Answers requests from now on.
    func serve(_ serving: Serving) {
        self.serving = serving
        phase = .ready
    }

    /// Refuses new requests from now on. `RoutesAction.drained` follows when the running ones have ended, and a little after
    /// `timeout` at the latest.
    func drain(timeout: Duration) {
        phase = .draining
        finishDrainIfIdle()
        actions.append(.startTimer(.drainTimeout, after: timeout))
    }

    var isStalled: Bool { watchdog?.isStalled ?? false }

    /// Ends the engine's thread.
    func stopEngine() {
        watchdog?.stop()
        engine?.stop()
    }

    func timerFired(_ timer: RoutesTimer) {
        switch timer {
        case .keepAlive: keepAliveDue()
        case .deadline(let exchange): checkDeadline(exchange)
        case .drainTimeout: abandonAll()
        case .abandonment: actions += [.closeConnections, .drained]
        }
    }

    /// Ends every reply with an error; a client that does not read it in time is cut off.
    private func abandonAll() {
        phase = .stopping
        for exchange in preparing.keys.sorted(by: { $0.rawValue < $1.rawValue }) {
            actions.append(.cancelPreparation(exchange))
        }
        for exchange in responses.all { fail(exchange, .aborted) }
        finishDrainIfIdle()
        actions.append(.startTimer(.abandonment, after: .seconds(1)))
    }

    func finishDrainIfIdle() {
        guard isEnding, admission.isIdle, requests.isEmpty else { return }
        actions.append(.drained)
    }

    private var isEnding: Bool {
        switch phase {
        case .loading, .ready: false
        case .draining, .stopping: true
        }
    }

    func unixSeconds() -> Int { Int(Date().timeIntervalSince1970) }

    // MARK: Deadlines

    /// An exchange that has not been answered by `deadline` gets a 504, whatever becomes of its work.
    func deadlineKnown(_ exchange: ExchangeID, _ deadline: ContinuousClock.Instant) {
        guard let request = requests[exchange], request.deadline.map({ deadline < $0 }) ?? true else { return }
        requests[exchange]?.deadline = deadline
        actions.append(.startTimer(.deadline(exchange), after: max(.zero, deadline - now())))
    }

    private func checkDeadline(_ exchange: ExchangeID) {
        guard let request = requests[exchange] else { return }
        let isPreparing = preparing[exchange] != nil
        let due = [request.deadline, isPreparing ? request.preparationDeadline : nil].compactMap(\.self).min()
        guard let due, due <= now() else { return }
        if isPreparing {
            actions.append(.cancelPreparation(exchange))
            if request.status == nil { refuse(exchange, .deadlineExceeded) }
        } else {
            fail(exchange, .deadlineExceeded)
        }
    }

    // MARK: Replies

    /// Runs `body` when the model is there; otherwise answers 503.
    func withServing(_ exchange: ExchangeID, _ body: (Serving) -> Void) {
        switch phase {
        case .ready:
            guard let serving else { preconditionFailure("a ready server has a model") }
            body(serving)
        case .loading: refuse(exchange, .notReady(retryAfter: 2))
        case .draining, .stopping: refuse(exchange, .draining(retryAfter: 10))
        }
    }

    func refuse(_ exchange: ExchangeID, _ error: APIError) {
        let body =
            requests[exchange]?.isAnthropic == true
            ? error.anthropicJSON(requestID: requests[exchange]?.id.description ?? "") : error.json
        reply(exchange, error.status, error.headerFields, body.serialized)
    }

    func reply(_ exchange: ExchangeID, _ body: JSONValue) {
        reply(exchange, .ok, [.contentType: "application/json"], body.serialized)
    }

    func reply(
        _ exchange: ExchangeID, _ status: HTTPResponse.Status, _ fields: HTTPFields, _ body: [UInt8]
    ) {
        actions.append(.respond(exchange, head(exchange, status, fields), body: body))
    }

    /// The head of a reply, with the request's id in it, and what its key and its origin are told.
    func head(_ exchange: ExchangeID, _ status: HTTPResponse.Status, _ fields: HTTPFields) -> HTTPResponse {
        accessLog.answered(exchange, status: status)
        requests[exchange]?.status = status
        var fields = fields
        if let request = requests[exchange] {
            if let name = RequestID.field { fields.append(HTTPField(name: name, value: request.id.description)) }
            fields.append(contentsOf: request.replyFields)
        }
        return HTTPResponse(status: status, headerFields: fields)
    }
}
