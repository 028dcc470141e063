import HTTP
import HTTPTypes

/// What ``Routes`` wants done, in order. ``RoutesService`` does it on the event loop, a simulation on a virtual clock.
enum RoutesAction: Sendable {
    /// Answer an exchange as a whole.
    case respond(ExchangeID, HTTPResponse, body: [UInt8])
    /// Begin a streamed reply.
    case startStream(ExchangeID, HTTPResponse)
    /// Send more of a streamed reply.
    case send(ExchangeID, [UInt8])
    /// End a streamed reply.
    case finishStream(ExchangeID)
    /// Run work off the loop, at most until the deadline, and call `prepared` with the result.
    case prepare(ExchangeID, Preparation, deadline: ContinuousClock.Instant)
    /// Stop that work; `prepared` is called all the same.
    case cancelPreparation(ExchangeID)
    /// Call `timerFired`, once.
    case startTimer(RoutesTimer, after: Duration)
    /// Close every connection, whatever it still has to send.
    case closeConnections
    /// All is answered after `drain`.
    case drained
}

/// What ``Routes`` waits for.
enum RoutesTimer: Sendable, Hashable {
    /// Look after streams that have said nothing for long.
    case keepAlive
    /// An exchange's deadline may have passed.
    case deadline(ExchangeID)
    /// The time to drain is over.
    case drainTimeout
    /// What was told that it is aborted has had its second to read that.
    case abandonment
}
