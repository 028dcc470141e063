import HTTP
import JSON

/// The work of a request that runs off the event loop. Pure: it uses only its own values.
struct Preparation: Sendable {
    enum Work: Sendable {
        /// Convert the body of a generation request to prompts.
        case generation(Endpoint, body: EncodedBody)
        /// Compute the reply of a text endpoint.
        case text(TextEndpoint, body: EncodedBody)
        /// Write the body of a complete reply, which can be megabytes long.
        case rendering(ResponseStream)
    }

    enum Outcome: Sendable {
        case generation(Endpoint, RequestPreparation.Prepared)
        /// The body of a reply, its charge until it has been written, and the ignored parameters of its request that have not been
        /// reported yet.
        case body([UInt8], MemoryBudget.Reservation?, IgnoredParameters)
    }

    var work: Work
    let model: ServedModel
    let text: TextPipeline?
    /// The name of the request's key.
    let tenant: String
    /// When the request arrived.
    let arrival: ContinuousClock.Instant
    /// The memory charge of the body, or of the prompts of a complete reply; released with this value.
    var charge: MemoryBudget.Reservation?

    /// Does the work on the calling thread. Stops early, with any error, if `Cancellation.isRequested`.
    ///
    /// - Parameter deadlineKnown: called as soon as the request's own deadline is known, if it has one.
    func run(deadlineKnown: (ContinuousClock.Instant) -> Void) -> Result<Outcome, APIError> {
        do throws(APIError) {
            switch work {
            case .generation(let endpoint, let body):
                let (body, charge) = try body.decoded(charge: charge)
                let memory = try chargeValues(of: body, charge)
                var preparation = RequestPreparation(endpoint: endpoint, model: model, text: text, tenant: tenant)
                preparation.memory = memory
                let prepared = try preparation.prepare(body) { deadlineKnown(arrival + $0) }
                return .success(.generation(endpoint, prepared))
            case .text(let endpoint, let body):
                let (body, charge) = try body.decoded(charge: charge)
                let memory = try chargeValues(of: body, charge)
                let reply = TextReply(endpoint: endpoint, model: model, text: text, memory: memory)
                var ignored = IgnoredParameters()
                let answer = try reply.answer(body, ignoring: &ignored)
                return .success(.body(answer, memory?.kept, ignored))
            case .rendering(let stream): return .success(.body(stream.body.serialized, nil, IgnoredParameters()))
            }
        } catch {
            return .failure(error)
        }
    }

    /// Charges the memory of a body's JSON before it is parsed.
    ///
    /// - Returns: the account for further memory of the request; `nil`: memory is not accounted.
    private func chargeValues(
        of body: [UInt8], _ charge: MemoryBudget.Reservation?
    ) throws(APIError) -> RequestMemory? {
        guard let charge else { return nil }
        let memory = RequestMemory(body: charge, jsonBytes: JSONValue.estimatedBytes(of: body))
        try memory.chargeJSON()
        return memory
    }
}
