import Engine
import HTTP
import JSON
import Scheduling

/// Converts the events of one request's sequences to its reply: the events of a stream as they arrive, or one body at the end.
/// A pure value.
///
/// Its ``ResponseState`` holds the state of the response, and the ``ResponseFormatter`` of the request's API writes it. A
/// stream has begun once ``receive(_:)`` has returned bytes. Before that an error is an ordinary HTTP error (``failure``),
/// afterwards an event of the stream.
struct ResponseStream: Sendable {
    private(set) var state: ResponseState
    private var formatter: any ResponseFormatter
    private let firstSequence: SequenceID
    /// Whether the reply is complete: all choices are finished, or the request has failed.
    private(set) var isFinished = false
    /// The error that ended the request.
    private(set) var error: APIError?
    private var hasBegun = false

    /// - Parameters:
    ///   - firstSequence: the id of the sequence of prompt 0, choice 0; the ids of the others follow.
    ///   - names: the names of tokens in log-probabilities.
    ///   - arrival: the arrival time of the request.
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

    /// The error to send instead of a stream or a body; `nil` if it is in the stream.
    var failure: APIError? { hasBegun ? nil : error }

    /// Applies an event of one sequence and returns the bytes to send on the stream: none for a whole reply, and none if there
    /// is no output yet. Late events of a finished request are ignored.
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

    /// Ends the request with an error: returns the bytes that end a stream if it has begun, otherwise sets ``failure``.
    mutating func fail(_ error: APIError) -> [UInt8] {
        guard !isFinished else { return [] }
        isFinished = true
        self.error = error
        guard hasBegun else { return [] }
        var output: [UInt8] = []
        formatter.fail(error, state, to: &output)
        return output
    }

    /// Returns a comment, which clients ignore. It begins the stream.
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
