import Engine
import Foundation
import HTTP
import HTTPTypes
import Logging
import Scheduling
import Text

/// Answers requests: the part of the server that lives on the event loop, and is only ever touched there.
final class Routes: HTTPService {
    /// How far the server is in its life.
    enum Phase {
        case loading
        case ready(Serving)
        /// Finishes what it has.
        case draining
        /// Has given up on what is left.
        case stopping
    }

    /// What is there once the model is loaded.
    struct Serving: Sendable {
        var model: ServedModel
        var loaded: LoadedModel
        var text: TextPipeline?

        var tokenNames: TokenNames {
            guard let tokenizer = text?.tokenizer else { return .idsOnly }
            return TokenNames(
                bytes: { tokenizer.bytes(of: $0, skipSpecialTokens: false) },
                isSpecial: { tokenizer.bytes(of: $0, skipSpecialTokens: true).isEmpty })
        }
    }

    var engine: LLMEngine?
    /// Whether the engine gets on; `nil`: nobody looks.
    var watchdog: Watchdog?
    private(set) var phase = Phase.loading
    var active: ActiveResponses
    var metrics: Metrics
    var statistics = EngineStatistics()
    private var loadedModel: LoadedModel?
    var accessLog: AccessLog
    /// What is known of each request that has not ended.
    var requests: [ExchangeID: RequestContext] = [:]
    var requestIDs = RequestIDSource()
    var rateLimiter = RateLimiter()
    /// Requests that are being prepared off the loop.
    var preparations: [ExchangeID: Task<Void, Never>] = [:]
    /// Whether silent streams are being looked after.
    var watchesStreams = false
    let configuration: ServerConfiguration
    let keys: KeyRing
    let logger: Logger
    private let onDrained: @Sendable () -> Void
    let clock = ContinuousClock()

    /// - Parameter onDrained: called, perhaps more than once, when `drain` was asked for and the last reply has gone out or
    ///   was given up.
    init(
        configuration: ServerConfiguration, keys: KeyRing, logger: Logger, onDrained: @escaping @Sendable () -> Void
    ) {
        self.configuration = configuration
        self.keys = keys
        self.logger = logger
        self.onDrained = onDrained
        accessLog = AccessLog(logger: logger)
        active = ActiveResponses(
            running: configuration.engine.maxSequences, waiting: configuration.engine.maxQueuedSequences,
            bounds: configuration.queueBounds)
        metrics = Metrics(maxModelLength: configuration.engine.maxModelLength ?? 131_072)
    }

    func receive(_ message: HTTPMessage, exchange: ExchangeID, on loop: isolated EventLoop) {
        let path = String((message.head.path ?? "/").prefix { $0 != "?" })
        guard let route = admit(message, path: path, exchange, on: loop) else { return }
        switch route {
        case .page:
            guard configuration.servesPage else { return refuse(exchange, .notFound(path: path), on: loop) }
            reply(exchange, .ok, Page.fields, Page.body, on: loop)
        case .completions: generate(.completions, message, exchange, on: loop)
        case .chatCompletions: generate(.chat, message, exchange, on: loop)
        case .responses: generate(.responses, message, exchange, on: loop)
        case .messages: generate(.messages, message, exchange, on: loop)
        case .chatPrompt: answer(.chatPrompt, message, exchange, on: loop)
        case .messageTokens: answer(.messageTokens, message, exchange, on: loop)
        case .tokenize: answer(.tokenize, message, exchange, on: loop)
        case .detokenize: answer(.detokenize, message, exchange, on: loop)
        case .tokenizerInfo:
            withServing(exchange, on: loop) { serving in
                guard let text = serving.text else { return refuse(exchange, .notFound(path: path), on: loop) }
                reply(exchange, text.tokenizerInfo(of: serving.model), on: loop)
            }
        case .models: withServing(exchange, on: loop) { reply(exchange, $0.model.listJSON, on: loop) }
        case .model(let name):
            withServing(exchange, on: loop) { serving in
                do throws(APIError) {
                    reply(exchange, try serving.model.json(named: name), on: loop)
                } catch {
                    refuse(exchange, error, on: loop)
                }
            }
        case .health:
            if isStalled { return refuse(exchange, .stalled(retryAfter: 10), on: loop) }
            reply(exchange, .ok, ServerStatus.fields, ServerStatus.health, on: loop)
        case .ready:
            if isStalled { return refuse(exchange, .stalled(retryAfter: 10), on: loop) }
            withServing(exchange, on: loop) { _ in
                reply(exchange, .ok, ServerStatus.fields, ServerStatus.ready, on: loop)
            }
        case .version:
            let version = ServerStatus.version(
                Application.version, kernels: loadedModel?.kernels, threads: loadedModel?.threads)
            reply(exchange, version, on: loop)
        case .metrics:
            let text = metrics.render(moment(of: loop))
            reply(exchange, .ok, [.contentType: PrometheusText.contentType], text, on: loop)
        }
    }

    func ended(_ exchange: ExchangeID, outcome: ExchangeOutcome, on loop: isolated EventLoop) {
        accessLog.end(exchange, outcome)
        if let request = requests.removeValue(forKey: exchange), let status = request.status {
            metrics.replies.add(route: request.route, method: request.method.rawValue, status: status.code)
        }
        preparations[exchange]?.cancel()
        let abandoned = active.remove(exchange)
        if !abandoned.isEmpty { engine?.abort(abandoned) }
        finishDrainIfIdle(on: loop)
    }

    private func moment(of loop: isolated EventLoop) -> Metrics.Moment {
        var moment = Metrics.Moment(modelName: configuration.servedModelName, model: loadedModel)
        moment.statistics = statistics
        (moment.running, moment.waiting, moment.preparing) = (active.running, active.waiting, active.preparing)
        moment.openRequests = loop.activeExchanges
        moment.process = .now()
        moment.isStalled = isStalled
        moment.includesOldNames = configuration.metricsIncludeOldNames
        return moment
    }

    // MARK: Life

    /// Runs `body` with the loop's routes: how posted work reaches them.
    static func on(_ loop: isolated EventLoop, _ body: (Routes) -> Void) {
        guard let routes = loop.service as? Routes else { preconditionFailure("the loop serves Routes") }
        body(routes)
    }

    func modelLoaded(_ loaded: LoadedModel, text: TextPipeline?) {
        loadedModel = loaded
        metrics.modelLoaded(maxModelLength: loaded.maxModelLength)
        guard case .loading = phase else { return }
        var model = ServedModel(
            name: configuration.servedModelName, created: Int(Date().timeIntervalSince1970),
            vocabularySize: loaded.config.vocabularySize, maxModelLength: loaded.maxModelLength,
            hasTokenizer: text != nil, hasChatTemplate: text?.template != nil,
            samplingDefaults: loaded.generation.samplingDefaults)
        model.speculates = configuration.engine.speculativeTokens != nil
        phase = .ready(Serving(model: model, loaded: loaded, text: text))
    }

    /// Refuses new requests from now on; `onDrained` is called when the running ones have ended, and a little after
    /// `timeout` at the latest.
    func drain(timeout: Duration, on loop: isolated EventLoop) {
        phase = .draining
        finishDrainIfIdle(on: loop)
        _ = loop.schedule(after: timeout) { loop in
            Routes.on(loop) { $0.abandonAll(on: loop) }
        }
    }

    private var isStalled: Bool { watchdog?.isStalled ?? false }

    /// Ends the engine's thread.
    func stopEngine() {
        watchdog?.stop()
        engine?.stop()
    }

    /// Ends every reply with an error; a client that does not read it in time is cut off.
    private func abandonAll(on loop: isolated EventLoop) {
        phase = .stopping
        for exchange in active.exchanges { fail(exchange, .aborted, on: loop) }
        finishDrainIfIdle(on: loop)
        _ = loop.schedule(after: .seconds(1)) { [onDrained] loop in
            loop.closeConnections()
            onDrained()
        }
    }

    func finishDrainIfIdle(on loop: isolated EventLoop) {
        guard isEnding, active.isIdle, loop.activeExchanges == 0 else { return }
        onDrained()
    }

    private var isEnding: Bool {
        switch phase {
        case .loading, .ready: false
        case .draining, .stopping: true
        }
    }

    // MARK: Replies

    /// Runs `body` when the model is there; otherwise answers 503.
    func withServing(_ exchange: ExchangeID, on loop: isolated EventLoop, _ body: (Serving) -> Void) {
        switch phase {
        case .ready(let serving): body(serving)
        case .loading: refuse(exchange, .notReady(retryAfter: 2), on: loop)
        case .draining, .stopping: refuse(exchange, .draining(retryAfter: 10), on: loop)
        }
    }

    func refuse(_ exchange: ExchangeID, _ error: APIError, on loop: isolated EventLoop) {
        let body =
            requests[exchange]?.isAnthropic == true
            ? error.anthropicJSON(requestID: requests[exchange]?.id.description ?? "") : error.json
        reply(exchange, error.status, error.headerFields, body.serialized, on: loop)
    }

    func reply(_ exchange: ExchangeID, _ body: JSONValue, on loop: isolated EventLoop) {
        reply(exchange, .ok, [.contentType: "application/json"], body.serialized, on: loop)
    }

    func reply(
        _ exchange: ExchangeID, _ status: HTTPResponse.Status, _ fields: HTTPFields, _ body: [UInt8],
        on loop: isolated EventLoop
    ) {
        loop.respond(exchange, head(exchange, status, fields), body: body)
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
