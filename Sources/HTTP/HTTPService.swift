import HTTPTypes

/// One whole request: head and decoded body.
public struct HTTPMessage: Sendable {
    public var head: HTTPRequest
    public var body: [UInt8]
    /// The peer's address and port, for the log.
    public var peer: String
    /// The number of its connection, unique within the loop.
    public var connection: Int
    /// The charge of `body`; nil if there is no body. The owner of the body keeps it, may add the memory of data derived from
    /// the body, and releases it as soon as both are freed. At the latest, it is released when its last owner is deallocated.
    public var charge: MemoryBudget.Reservation?

    /// - Parameters:
    ///   - body: The whole decoded body.
    ///   - peer: The peer's address and port.
    ///   - connection: The number of the connection.
    ///   - charge: The charge of the body.
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

/// Identifies one request and its reply on one connection. Never reused within a process.
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
    /// The peer closed or reset the connection, or read too slowly, before the reply's end.
    case clientGone
}

/// The application on top of the HTTP server. The event loop owns it, so it needs no locks.
///
/// Replies go through the event loop that is passed in: `respond` for a whole reply, or `startStream`, `send` and `finish`.
/// None of them suspends or calls the service back. Calls for an exchange that has ended are ignored.
///
/// Long work must run off the loop and return to it. A task that is started in `receive` and uses `loop` inherits its
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
/// Other threads call the service by posting: `loop.post { loop in (loop.service as? MyService)?.take(batch, on: loop) }`.
public protocol HTTPService: AnyObject {
    /// Called when a complete request has arrived. The reply may be sent now or later.
    func receive(_ message: HTTPMessage, exchange: ExchangeID, on loop: isolated EventLoop)

    /// Called when an exchange has ended, exactly once for each `receive`.
    func ended(_ exchange: ExchangeID, outcome: ExchangeOutcome, on loop: isolated EventLoop)
}
