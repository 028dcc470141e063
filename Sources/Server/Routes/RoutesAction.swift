import HTTP
import HTTPTypes

/// An effect that ``Routes`` requests, in order. ``RoutesService`` performs it on the event loop, a simulation on a virtual
/// clock.
enum RoutesAction: Sendable {
    /// Send a whole reply.
    case respond(ExchangeID, HTTPResponse, body: [UInt8])
    /// Begin a streamed reply.
    case startStream(ExchangeID, HTTPResponse)
    /// Send more of a streamed reply.
    case send(ExchangeID, [UInt8])
    /// End a streamed reply.
    case finishStream(ExchangeID)
    /// Run work off the loop, at most until the deadline, and call `prepared` with the result.
    case prepare(ExchangeID, Preparation, deadline: ContinuousClock.Instant)
    /// Stop that work; `prepared` is called in any case.
    case cancelPreparation(ExchangeID)
    /// Call `timerFired`, once.
    case startTimer(RoutesTimer, after: Duration)
    /// Close every connection, even with pending output.
    case closeConnections
    /// All requests have ended after `drain`.
    case drained
}

/// The timers of ``Routes``.
enum RoutesTimer: Sendable, Hashable {
    /// Check for streams that have been silent for long.
    case keepAlive
    /// An exchange's deadline may have passed.
    case deadline(ExchangeID)
    /// The time to drain is over.
    case drainTimeout
    /// Clients have had a second to read that their requests were aborted.
    case abandonment
}
