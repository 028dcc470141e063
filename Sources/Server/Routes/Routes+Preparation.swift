import HTTP
import HTTPTypes

/// The work off the loop: preparing requests with a body, and writing long replies.
extension Routes {
    /// Admits a request and schedules the preparation of its body off the loop.
    ///
    /// - Parameter work: the processing of the body.
    func prepare(_ message: HTTPMessage, _ exchange: ExchangeID, work: (EncodedBody) -> Preparation.Work) {
        withServing(exchange) { serving in
            prepare(work(EncodedBody(message, limit: configuration.maxBodyBytes)), message, exchange, serving)
        }
    }

    private func prepare(
        _ work: Preparation.Work, _ message: HTTPMessage, _ exchange: ExchangeID, _ serving: Serving
    ) {
        let arrival = now()
        let timeout: Duration?
        do throws(APIError) {
            timeout = try RequestTimeout.read(message.head.headerFields)
        } catch {
            return refuse(exchange, error)
        }
        let tenant = requests[exchange]?.key ?? RateLimiter.nobody
        if let refusal = admission.beginPreparation(of: tenant) { return refuse(exchange, overload(refusal)) }
        preparing[exchange] = tenant
        requests[exchange]?.arrival = arrival
        let limit = arrival + configuration.preparationTimeout
        requests[exchange]?.preparationDeadline = limit
        let preparation = Preparation(
            work: work, model: serving.model, text: serving.text, tenant: tenant, arrival: arrival,
            charge: message.charge)
        let deadline = timeout.map { arrival + $0 }
        actions.append(.prepare(exchange, preparation, deadline: min(limit, deadline ?? limit)))
        actions.append(.startTimer(.deadline(exchange), after: configuration.preparationTimeout))
        if let deadline { deadlineKnown(exchange, deadline) }
    }

    /// Writes the body of a complete reply off the loop. With many choices and log-probabilities, it is megabytes of JSON.
    ///
    /// - Parameter charge: the charge of the stream's prompts.
    func render(_ stream: ResponseStream, _ exchange: ExchangeID, charge: MemoryBudget.Reservation?) {
        guard let request = requests[exchange], let serving = state.serving else { return }
        admission.beginRendering(of: request.key)
        preparing[exchange] = request.key
        let preparation = Preparation(
            work: .rendering(stream), model: serving.model, text: serving.text, tenant: request.key,
            arrival: request.arrival, charge: charge)
        let limit = now() + configuration.preparationTimeout
        requests[exchange]?.preparationDeadline = limit
        actions.append(.prepare(exchange, preparation, deadline: limit))
        actions.append(.startTimer(.deadline(exchange), after: configuration.preparationTimeout))
    }

    /// Reports the ignored parameters of a request to the client, the log and the metrics.
    private func tell(_ ignored: IgnoredParameters, _ exchange: ExchangeID) {
        for name in ignored.names where metrics.ignoredParameters.add(name) {
            logger.notice("ignoring the request parameter \(name), here and in later requests")
        }
        if let field = ignored.field { requests[exchange]?.replyFields.append(field) }
    }

    /// Called with the result of work off the loop.
    func prepared(_ exchange: ExchangeID, _ result: Result<Preparation.Outcome, APIError>) {
        admission.endPreparation(of: preparing.removeValue(forKey: exchange) ?? RateLimiter.nobody)
        defer { finishDrainIfIdle() }
        // Meanwhile, the client may have left, or the deadline may have passed.
        guard let request = requests[exchange], request.status == nil else { return }
        if case .stopping = state.phase { return refuse(exchange, .draining(retryAfter: 10)) }
        switch result {
        case .success(.body(let body, let charge, let ignored)):
            tell(ignored, exchange)
            requests[exchange]?.replyCharge = charge
            reply(exchange, .ok, [.contentType: "application/json"], body)
        case .success(.generation(let endpoint, let prepared)):
            tell(prepared.ignored, exchange)
            start(prepared, endpoint, exchange, request)
        case .failure(.overloaded(let refusal, _)): refuse(exchange, overload(refusal))
        case .failure(let error): refuse(exchange, error)
        }
    }
}
