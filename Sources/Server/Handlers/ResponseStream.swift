import Engine
import HTTP
import JSON
import Scheduling

/// Turns the events of one request's sequences into its reply: the events of a stream as they come, or one body at
/// the end. A value that touches nothing else.
///
/// Its ``ResponseState`` has what is known of the response, and the ``ResponseFormatter`` of the request's API writes it. A
/// stream has begun once ``receive(_:)`` has returned bytes; before that an error is still an ordinary HTTP error
/// (``failure``), after it an event of the stream.
struct ResponseStream: Sendable {
    private(set) var state: ResponseState
    private var formatter: any ResponseFormatter
    private let firstSequence: SequenceID
    /// Nothing more will come: all choices are finished, or the request has failed.
    private(set) var isFinished = false
    /// The error to answer with instead of a stream or a body.
    private(set) var failure: APIError?
    private var hasBegun = false

    /// - Parameters:
    ///   - firstSequence: the id of prompt 0, choice 0; the others count up from it.
    ///   - names: how log-probabilities name tokens.
    ///   - arrival: of the request.
    init(
        _ prepared: RequestPreparation.Prepared, _ head: ResponseHead, firstSequence: SequenceID, names: TokenNames,
        arrival: ContinuousClock.Instant
    ) {
        state = ResponseState(prepared, head, names: names, arrival: arrival)
        formatter = prepared.formatter
        self.firstSequence = firstSequence
    }

    /// Whether the reply is streamed.
    var isStreamed: Bool { state.options.streaming != nil }

    /// Takes what happened to one sequence and returns the bytes that a stream sends for it: none for a whole reply,
    /// and none when there is nothing to say yet. Late events of a request that is over are ignored.
    mutating func receive(_ event: TokenEvent) -> [UInt8] {
        guard !isFinished, let index = index(of: event.sequence), state.choices[index].finish == nil else { return [] }
        do throws(APIError) {
            let update = try state.receive(event, choice: index)
            isFinished = state.isComplete
            guard isStreamed else { return [] }
            var output: [UInt8] = []
            formatter.write(update, of: state, to: &output)
            if !output.isEmpty { hasBegun = true }
            return output
        } catch {
            return fail(error)
        }
    }

    /// Ends the request with an error: the bytes that end a stream that has begun, otherwise none and ``failure`` is
    /// set.
    mutating func fail(_ error: APIError) -> [UInt8] {
        guard !isFinished else { return [] }
        isFinished = true
        guard hasBegun else {
            failure = error
            return []
        }
        var output: [UInt8] = []
        formatter.fail(error, state, to: &output)
        return output
    }

    /// A comment, which clients ignore. The stream has begun with it.
    mutating func keepAlive() -> [UInt8] {
        guard isStreamed, !isFinished else { return [] }
        hasBegun = true
        return ServerSentEvents.comment("keep-alive")
    }

    /// The whole reply, once ``isFinished`` without ``failure``.
    var body: JSONValue { formatter.body(of: state) }

    private func index(of sequence: SequenceID) -> Int? {
        guard sequence >= firstSequence else { return nil }
        let offset = sequence.rawValue - firstSequence.rawValue
        return offset < UInt64(state.choices.count) ? Int(offset) : nil
    }
}
