import Engine
import Foundation
import HTTP
import HTTPTypes
import Scheduling

/// The endpoints that generate: prepare off the loop, submit, pass events on until the reply is complete.
extension Routes {
    func generate(
        _ endpoint: Endpoint, _ message: HTTPMessage, _ exchange: ExchangeID, on loop: isolated EventLoop
    ) {
        withServing(exchange, on: loop) { serving in
            let arrival = clock.now
            let timeout: Duration?
            do throws(APIError) {
                timeout = try RequestTimeout.read(message.head.headerFields)
            } catch {
                return refuse(exchange, error, on: loop)
            }
            guard active.reserve() else { return refuse(exchange, overload(.places), on: loop) }
            let preparation = RequestPreparation(endpoint: endpoint, model: serving.model, text: serving.text)
            let body = message.body
            let charge = message.charge
            preparations[exchange] = Task {
                // The body is charged until it has become a prompt.
                defer { charge?.release() }
                let result: Result<RequestPreparation.Prepared, APIError>
                do throws(APIError) {
                    var prepared = try await preparation.prepare(body)
                    prepared.options.timeout = [prepared.options.timeout, timeout].compactMap(\.self).min()
                    result = .success(prepared)
                } catch {
                    result = .failure(error)
                }
                start(result, endpoint, serving, exchange, arrival: arrival, on: loop)
            }
        }
    }

    /// Back on the loop with what preparation made of the request.
    private func start(
        _ result: Result<RequestPreparation.Prepared, APIError>, _ endpoint: Endpoint, _ serving: Serving,
        _ exchange: ExchangeID, arrival: ContinuousClock.Instant, on loop: isolated EventLoop
    ) {
        active.release()
        preparations[exchange] = nil
        // The client may have left meanwhile.
        guard let context = requests[exchange] else { return finishDrainIfIdle(on: loop) }
        let (requestID, key) = (context.id, context.key)
        if case .stopping = phase { return refuse(exchange, .draining(retryAfter: 10), on: loop) }
        do throws(APIError) {
            let prepared = try result.get()
            let options = prepared.options
            let count = prepared.promptIDs.count * options.candidates
            // More than there will ever be room for is no overload: trying again would not help.
            guard count <= active.capacity else {
                throw .tooManySequences(count, limit: active.capacity, prompts: prepared.promptIDs.count)
            }
            let deadline = options.timeout.map { arrival + $0 }
            // Expired work never starts.
            let remaining = deadline.map { $0 - clock.now }
            if let remaining, remaining <= .zero { throw .deadlineExceeded }
            if let bound = active.exceededBound(
                prepared.promptIDs.map(\.count), options, within: remaining, statistics.scheduler)
            {
                throw overload(bound)
            }
            guard let engine else { throw .notReady(retryAfter: 2) }
            let firstSequence = active.takeSequenceIDs(count)
            var generator = SystemRandomNumberGenerator()
            let requests = try options.generationRequests(
                promptIDs: prepared.promptIDs, firstID: firstSequence, endpoint: endpoint, model: serving.model,
                deadline: deadline, using: &generator)
            guard engine.submit(requests) else { throw overload(.places) }
            metrics.choices.observe(Double(options.choices))
            metrics.accepted.add(UInt64(requests.count))
            for request in requests { metrics.maxTokens.observe(Double(request.maxTokens)) }
            let stream = CompletionStream(
                endpoint: endpoint, requestID: requestID.description, created: Int(Date().timeIntervalSince1970),
                model: serving.model.name, options: options, promptIDs: prepared.promptIDs,
                promptTexts: prepared.promptTexts, reply: prepared.reply, form: prepared.form,
                firstSequence: firstSequence, names: serving.tokenNames, arrival: arrival)
            active.register(stream, exchange, requests, key: key, arrival: arrival)
            let promptTokens = prepared.promptIDs.reduce(0) { $0 + $1.count }
            rateLimiter.take(promptTokens, of: key)
            metrics.keys.add(.init(requests: 1, promptTokens: UInt64(promptTokens)), key: key)
            accessLog.accepted(exchange, promptTokens: promptTokens)
            keepStreamsAlive(on: loop)
        } catch {
            refuse(exchange, error, on: loop)
        }
    }

    /// The engine has something new: each event goes to its reply.
    func engineReported(on loop: isolated EventLoop) {
        guard let report = engine?.takeReport() else { return }
        statistics = report.statistics
        let now = clock.now
        for event in report.events {
            if case .error(let reason) = event.finish { logger.error("\(event.sequence): \(reason)") }
            guard let (exchange, key) = active.record(event, in: &metrics, now: now) else { continue }
            rateLimiter.take(event.tokens.count, of: key)
            metrics.keys.add(.init(generationTokens: UInt64(event.tokens.count)), key: key)
            accessLog.generated(exchange, tokens: event.tokens.count, at: event.tokens.first?.time)
            if event.admitted != nil {
                logger.debug(
                    "\(requests[exchange]?.id.description ?? ""): \(event.cachedTokens) prompt tokens from the cache",
                    metadata: event.prefixCut.map { ["cut": "\($0.rawValue)"] })
            }
            update(exchange, on: loop) { $0.receive(event) }
        }
        finishDrainIfIdle(on: loop)
    }

    /// Looks after silent streams now and then, as long as there are streams.
    private func keepStreamsAlive(on loop: isolated EventLoop) {
        guard !watchesStreams, active.hasStreams else { return }
        watchesStreams = true
        let interval = configuration.keepAliveInterval
        _ = loop.schedule(after: min(interval / 4, .seconds(1))) { loop in
            Routes.on(loop) { routes in
                routes.watchesStreams = false
                for exchange in routes.active.silent(since: routes.clock.now - interval) {
                    routes.update(exchange, on: loop) { $0.keepAlive() }
                }
                routes.keepStreamsAlive(on: loop)
            }
        }
    }

    /// Ends a reply with an error; its sequences are aborted.
    func fail(_ exchange: ExchangeID, _ error: APIError, on loop: isolated EventLoop) {
        update(exchange, on: loop) { $0.fail(error) }
    }

    /// Changes a reply's stream and sends what comes of it: the next bytes of a stream, or the whole reply at its end.
    private func update(
        _ exchange: ExchangeID, on loop: isolated EventLoop, _ change: (inout CompletionStream) -> [UInt8]
    ) {
        guard let bytes = active.update(exchange, change), let stream = active.stream(exchange) else { return }
        if !bytes.isEmpty {
            if active.begin(exchange, now: clock.now) {
                loop.startStream(exchange, head(exchange, .ok, Self.streamFields))
            }
            loop.send(exchange, bytes)
        }
        guard stream.isFinished else { return }
        // Of a request that failed, sequences may still run.
        let abandoned = active.remove(exchange)
        if !abandoned.isEmpty { engine?.abort(abandoned) }
        if let failure = stream.failure {
            refuse(exchange, failure, on: loop)
        } else if stream.options.streaming != nil {
            loop.finish(exchange)
        } else {
            // Of many choices with log-probabilities it is megabytes of JSON: other streams must not wait for it.
            Task {
                let body = await Self.serialized(stream)
                reply(exchange, .ok, [.contentType: "application/json"], body, on: loop)
            }
        }
    }

    @concurrent private static func serialized(_ stream: CompletionStream) async -> [UInt8] {
        stream.body.serialized
    }

    /// Counts a refusal, and makes the error that says when to come back.
    func overload(_ bound: QueueBounds.Bound) -> APIError {
        metrics.rejected.add(label: bound.label)
        return .overloaded(bound, retryAfter: active.retryAfter(statistics.scheduler))
    }

    /// No proxy may hold events back: `X-Accel-Buffering` is nginx's name for that.
    private static let streamFields: HTTPFields = {
        var fields: HTTPFields = [.contentType: "text/event-stream; charset=utf-8", .cacheControl: "no-cache"]
        if let name = HTTPField.Name("X-Accel-Buffering") { fields[name] = "no" }
        return fields
    }()

}

extension APIError {
    fileprivate static func tooManySequences(_ count: Int, limit: Int, prompts: Int) -> APIError {
        .invalid(
            param: prompts == 1 ? "n" : "prompt",
            message: "The request asks for \(count) completions, but this server holds at most \(limit) at a time.")
    }
}

extension QueueBounds.Bound {
    /// As the metrics name it.
    fileprivate var label: String {
        switch self {
        case .places: "max_num_queued_reqs"
        case .tokens: "max_num_queued_tokens"
        case .wait: "max_queue_wait"
        }
    }
}
