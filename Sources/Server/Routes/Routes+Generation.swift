import Engine
import Foundation
import HTTP
import HTTPTypes
import Scheduling

/// Generation: submits prepared requests, and passes events on until the reply is complete.
extension Routes {
    /// Accepts or refuses a prepared request.
    func start(
        _ prepared: RequestPreparation.Prepared, _ endpoint: Endpoint, _ exchange: ExchangeID, _ request: RequestContext
    ) {
        do throws(APIError) {
            let requests = try accept(prepared, endpoint, request)
            let options = prepared.options
            metrics.choices.observe(Double(options.choices))
            metrics.accepted.add(UInt64(requests.count))
            for request in requests { metrics.maxTokens.observe(Double(request.maxTokens)) }
            register(prepared, exchange, request, requests)
        } catch {
            refuse(exchange, error)
        }
    }

    /// Submits the sequences of a prepared request; returns them if the engine accepted them.
    private func accept(
        _ prepared: RequestPreparation.Prepared, _ endpoint: Endpoint, _ request: RequestContext
    ) throws(APIError) -> [GenerationRequest] {
        let options = prepared.options
        guard let serving = state.serving, let engine else { throw .notReady(retryAfter: 2) }
        let count = prepared.promptIDs.count * options.candidates
        // A request that exceeds the total capacity is not an overload: retrying would not help.
        let largest = admission.largestRequest(of: request.key)
        guard count <= largest else {
            throw .tooManySequences(count, limit: largest, prompts: prepared.promptIDs.count, endpoint)
        }
        let tokens = prepared.promptIDs.reduce(0) { $0 + $1.count }
        if prepared.promptIDs.count > 1, let most = admission.largestBatch(of: request.key), tokens > most {
            throw .tooManyTokens(tokens, limit: most, endpoint)
        }
        if let least = request.minimumPriority, options.priority < least {
            throw .invalid(
                param: "priority",
                message: "'priority' must be at least \(least) for this API key, not \(options.priority).")
        }
        let deadline = [options.timeout.map { request.arrival + $0 }, request.deadline].compactMap(\.self).min()
        // A request whose deadline has passed never starts.
        let remaining = deadline.map { $0 - now() }
        if let remaining, remaining <= .zero { throw .deadlineExceeded }
        if let refusal = admission.refusal(
            of: request.key, prompts: prepared.promptIDs.map(\.count), choices: options.candidates,
            priority: options.priority, within: remaining, statistics.scheduler)
        {
            throw overload(refusal)
        }
        var requests = try options.generationRequests(
            promptIDs: prepared.promptIDs, firstID: responses.takeSequenceIDs(count), endpoint: endpoint,
            model: serving.model, deadline: deadline, using: &random)
        for index in requests.indices {
            requests[index].tenant = request.key
            if !configuration.sharesPrefixCache {
                requests[index].cacheSalt = Self.cacheSalt(options.cacheSalt, of: request.key)
            }
        }
        guard engine.submit(requests) else { throw overload(.permits) }
        return requests
    }

    private func register(
        _ prepared: RequestPreparation.Prepared, _ exchange: ExchangeID, _ request: RequestContext,
        _ requests: [GenerationRequest]
    ) {
        guard let serving = state.serving, let first = requests.first else { return }
        let head = ResponseHead(
            requestID: request.id.description, objectID: request.id.objectID, created: unixSeconds(),
            model: prepared.modelName)
        let stream = ResponseStream(
            prepared, head, firstSequence: first.id, names: serving.tokenNames, arrival: request.arrival)
        responses.add(stream, exchange, requests, arrival: request.arrival, charge: prepared.charge)
        admission.add(requests)
        requestMetrics.add(requests, key: request.key, arrival: request.arrival)
        let promptTokens = prepared.promptIDs.reduce(0) { $0 + $1.count }
        rateLimiter.take(promptTokens, of: request.key)
        metrics.keys.add(.init(requests: 1, promptTokens: UInt64(promptTokens)), key: request.key)
        accessLog.accepted(exchange, promptTokens: promptTokens)
        if let deadline = first.deadline { deadlineKnown(exchange, deadline) }
        keepStreamsAlive()
    }

    /// Returns a salt that differs between keys. If keys shared cached prefixes, the speed would reveal what another key has sent.
    /// A salt cannot collide with another key's, because names of keys have no zero byte.
    static func cacheSalt(_ salt: String, of key: String) -> [UInt8] {
        key == RateLimiter.nobody ? Array(salt.utf8) : Array(key.utf8) + [0] + Array(salt.utf8)
    }

    /// Called when the engine has new events: each is passed to its reply.
    func engineReported() {
        guard let report = engine?.takeReport() else { return }
        statistics = report.statistics
        let now = now()
        for event in report.events {
            if case .error(let reason) = event.finish { logger.error("\(event.sequence): \(reason)") }
            admission.record(event)
            guard let key = requestMetrics.record(event, in: &metrics, now: now) else { continue }
            rateLimiter.take(event.tokens.count, of: key)
            metrics.keys.add(.init(generationTokens: UInt64(event.tokens.count)), key: key)
            guard let exchange = responses.exchange(of: event) else { continue }
            accessLog.generated(exchange, tokens: event.tokens.count, at: event.tokens.first?.time)
            if event.admitted != nil {
                logger.debug(
                    "\(requests[exchange]?.id.description ?? ""): \(event.cachedTokens) prompt tokens from the cache",
                    metadata: event.prefixMissReason.map { ["prefix_miss_reason": "\($0.rawValue)"] })
            }
            do throws(APIError) {
                try responses.charge(event, of: exchange)
                update(exchange) { $0.receive(event) }
            } catch {
                if case .overloaded(let refusal, _) = error {
                    fail(exchange, overload(refusal))
                } else {
                    fail(exchange, error)
                }
            }
        }
        finishDrainIfIdle()
    }

    /// Checks for silent streams at intervals, as long as there are streams.
    func keepStreamsAlive() {
        guard !watchesStreams, responses.hasStreams else { return }
        watchesStreams = true
        actions.append(.startTimer(.keepAlive, after: min(configuration.keepAliveInterval / 4, .seconds(1))))
    }

    func keepAliveDue() {
        watchesStreams = false
        for exchange in responses.silent(since: now() - configuration.keepAliveInterval) {
            update(exchange) { $0.keepAlive() }
        }
        keepStreamsAlive()
    }

    /// Ends a reply with an error and aborts its sequences.
    func fail(_ exchange: ExchangeID, _ error: APIError) {
        update(exchange) { $0.fail(error) }
    }

    /// Changes a reply and sends the result: the next bytes of a stream, or the whole reply at its end.
    private func update(_ exchange: ExchangeID, _ change: (inout ResponseStream) -> [UInt8]) {
        guard let bytes = responses.update(exchange, change), let stream = responses.stream(exchange) else { return }
        if !bytes.isEmpty {
            if responses.begin(exchange, now: now()) {
                actions.append(.startStream(exchange, head(exchange, .ok, Self.streamFields)))
            }
            actions.append(.send(exchange, bytes))
        }
        guard stream.isFinished else { return }
        // If the request failed, some of its sequences may still run.
        let charge = responses.charge(exchange)
        let abandoned = responses.remove(exchange)
        if !abandoned.isEmpty { engine?.abort(abandoned) }
        if let failure = stream.failure {
            refuse(exchange, failure)
        } else if stream.isStreamed {
            if let error = stream.error { accessLog.failed(exchange, error) }
            actions.append(.finishStream(exchange))
        } else {
            render(stream, exchange, charge: charge)
        }
    }

    /// Counts a refusal, and creates the error with the time to retry.
    func overload(_ refusal: AdmissionController.Refusal) -> APIError {
        metrics.rejected.add(label: refusal.label)
        return .overloaded(refusal, retryAfter: admission.retryAfter(statistics.scheduler))
    }

    /// Tells proxies not to buffer events: `X-Accel-Buffering` is nginx's name for that.
    private static let streamFields: HTTPFields = {
        var fields: HTTPFields = [.contentType: "text/event-stream; charset=utf-8", .cacheControl: "no-cache"]
        if let name = HTTPField.Name("X-Accel-Buffering") { fields[name] = "no" }
        return fields
    }()
}

extension APIError {
    fileprivate static func tooManySequences(
        _ count: Int, limit: Int, prompts: Int, _ endpoint: Endpoint
    ) -> APIError {
        .invalid(
            param: prompts == 1 ? "n" : endpoint.promptParameter,
            message: "The request asks for \(count) completions, but the server accepts at most \(limit) at a time.")
    }

    fileprivate static func tooManyTokens(_ count: Int, limit: Int, _ endpoint: Endpoint) -> APIError {
        .invalid(
            param: endpoint.promptParameter,
            message: "The prompts have \(count) tokens, but the server queues at most \(limit) of one request.")
    }
}
