import HTTP
import JSON

/// The work that a request needs off the event loop. Pure: it touches nothing but its values.
struct Preparation: Sendable {
    enum Work: Sendable {
        /// Turn the body of a request that generates into prompts.
        case generation(Endpoint, body: EncodedBody)
        /// Answer a request about text and tokens.
        case text(TextEndpoint, body: EncodedBody)
        /// Write the body of a reply that is complete, which can be megabytes.
        case rendering(ResponseStream)
    }

    enum Outcome: Sendable {
        case generation(Endpoint, RequestPreparation.Prepared)
        /// The body of a reply, what it is charged as until it has been written, and what its request has that the server does
        /// without, unless that has been told.
        case body([UInt8], MemoryBudget.Reservation?, IgnoredParameters)
    }

    var work: Work
    let model: ServedModel
    let text: TextPipeline?
    /// The name of the request's key.
    let tenant: String
    /// When the request arrived.
    let arrival: ContinuousClock.Instant
    /// What the body, or the prompts of a complete reply, take of the memory for requests; given back with this value.
    var charge: MemoryBudget.Reservation?

    /// Does the work on the calling thread. Stops early, with any error, when `Cancellation.isRequested`.
    ///
    /// - Parameter deadlineKnown: called as soon as the request's own deadline has been read, if it has one.
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

    /// Charges what the JSON of a body takes once it is read, before it is.
    ///
    /// - Returns: what else the request takes is charged to it; `nil`: nobody counts.
    private func chargeValues(
        of body: [UInt8], _ charge: MemoryBudget.Reservation?
    ) throws(APIError) -> RequestMemory? {
        guard let charge else { return nil }
        let memory = RequestMemory(body: charge, jsonBytes: JSONValue.estimatedBytes(of: body))
        try memory.chargeJSON()
        return memory
    }
}
