import HTTPTypes

/// One whole request: head and decoded body.
public struct HTTPMessage: Sendable {
    public var head: HTTPRequest
    public var body: [UInt8]
    /// The peer's address and port, for the log.
    public var peer: String
    /// The number of its connection, which no other connection of the loop ever has: what a client's share can be counted by.
    public var connection: Int
    /// What `body` is charged as; nil where there is no body. Whoever keeps the body keeps this, may add what is made of it, and
    /// releases it as soon as both are gone; at the latest the last owner's end does.
    public var charge: MemoryBudget.Reservation?

    /// - Parameters:
    ///   - body: The whole decoded body.
    ///   - peer: The peer's address and port.
    ///   - connection: The number of the connection.
    ///   - charge: What the body is charged as.
    public init(
        head: HTTPRequest, body: [UInt8], peer: String, connection: Int = 0, charge: MemoryBudget.Reservation? = nil
    ) {
        self.head = head
        self.body = body
        self.peer = peer
        self.connection = connection
        self.charge = charge
    }
}

/// Names one request and its reply on one connection; never reused within a process.
public struct ExchangeID: Hashable, Sendable {
    public let rawValue: UInt64

    public init(_ rawValue: UInt64) {
        self.rawValue = rawValue
    }
}

/// How an exchange ended.
public enum ExchangeOutcome: String, Sendable {
    /// The whole reply was handed to the kernel.
    case completed
    /// The peer closed or reset the connection, or was too slow to read, before the reply's end.
    case clientGone
}

/// What stands above the HTTP server. The event loop owns it, so none of it needs a lock.
///
/// Replies go through the event loop that is passed in: `respond` for a whole one, or `startStream`, `send` and
/// `finish`; none of them suspends or calls the service back. Calls for an exchange that has ended are ignored.
///
/// Work that takes long leaves the loop and comes back to it. A task that is started in `receive` and uses `loop` inherits its
/// isolation, so it may use `self`; only a `@concurrent` function runs elsewhere:
///
/// ```swift
/// func receive(_ message: HTTPMessage, exchange: ExchangeID, on loop: isolated EventLoop) {
///     Task {
///         let prepared = await Self.prepare(message)  // @concurrent static func: off the loop
///         self.proceed(prepared, exchange, on: loop)  // on the loop again
///     }
/// }
/// ```
///
/// Other threads reach the service by posting: `loop.post { loop in (loop.service as? MyService)?.take(batch, on: loop) }`.
public protocol HTTPService: AnyObject {
    /// A whole request has arrived; its reply may come now or later.
    func receive(_ message: HTTPMessage, exchange: ExchangeID, on loop: isolated EventLoop)

    /// The exchange is over: called exactly once for each `receive`.
    func ended(_ exchange: ExchangeID, outcome: ExchangeOutcome, on loop: isolated EventLoop)
}
