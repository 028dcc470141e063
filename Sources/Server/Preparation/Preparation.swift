import HTTP
import Text

/// The work that a request needs off the event loop. Pure: it touches nothing but its values.
struct Preparation: Sendable {
    enum Work: Sendable {
        /// Turn the body of a request that generates into prompts.
        case generation(Endpoint, body: [UInt8])
        /// Answer a request about text and tokens.
        case text(TextEndpoint, body: [UInt8])
        /// Write the body of a reply that is complete, which can be megabytes.
        case rendering(CompletionStream)
    }

    enum Outcome: Sendable {
        case generation(Endpoint, RequestPreparation.Prepared)
        /// The body of a reply.
        case body([UInt8])
    }

    var work: Work
    let model: ServedModel
    let text: TextPipeline?
    /// The name of the request's key.
    let tenant: String
    /// When the request arrived.
    let arrival: ContinuousClock.Instant
    /// What the body takes of the memory for requests; given back with this value.
    var charge: MemoryBudget.Reservation?
    /// All the memory for requests, in bytes.
    var memoryLimit = Int.max

    /// Does the work on the calling thread. Stops early, with any error, when `Cancellation.isRequested`.
    ///
    /// - Parameter deadlineKnown: called as soon as the request's own deadline has been read, if it has one.
    func run(deadlineKnown: (ContinuousClock.Instant) -> Void) -> Result<Outcome, APIError> {
        do throws(APIError) {
            switch work {
            case .generation(let endpoint, let body):
                try chargeValues(of: body)
                let preparation = RequestPreparation(endpoint: endpoint, model: model, text: text, tenant: tenant)
                let prepared = try preparation.prepare(body) { deadlineKnown(arrival + $0) }
                return .success(.generation(endpoint, prepared))
            case .text(let endpoint, let body):
                try chargeValues(of: body)
                return .success(.body(try TextReply(endpoint: endpoint, model: model, text: text).answer(body)))
            case .rendering(let stream): return .success(.body(stream.body.serialized))
            }
        } catch {
            return .failure(error)
        }
    }

    /// What the values of each body may take before they are charged: a small request is never refused for the large ones of
    /// others. Permits bound all of these together.
    static let freeBytes = 256 << 10

    /// Charges what the JSON of a body takes once it is read, before it is.
    ///
    /// - Throws: a body that takes more than there is for all requests together is the client's mistake; one that takes more
    ///   than is free now may be sent again.
    private func chargeValues(of body: [UInt8]) throws(APIError) {
        guard let charge else { return }
        let bytes = max(0, JSONValue.estimatedBytes(of: body) - Self.freeBytes)
        guard bytes <= memoryLimit - body.count else {
            throw .bodyTooComplex(bytes: body.count + bytes, limit: memoryLimit)
        }
        guard charge.grow(by: bytes) else { throw .overloaded(.memory, retryAfter: 1) }
    }
}
