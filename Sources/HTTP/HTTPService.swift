import HTTPTypes

/// One whole request: head and decoded body.
public struct HTTPMessage: Sendable {
    public var head: HTTPRequest
    public var body: [UInt8]
    /// The peer's address and port, for the log.
    public var peer: String

    public init(head: HTTPRequest, body: [UInt8], peer: String) {
        self.head = head
        self.body = body
        self.peer = peer
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
public enum ExchangeOutcome: Sendable, Hashable {
    /// The whole reply was handed to the kernel.
    case completed
    /// The peer closed or reset the connection, or was too slow to read, before the reply's end.
    case clientGone
}

/// What stands above the HTTP server. The event loop owns it, so none of it needs a lock.
///
/// Replies go through the event loop that is passed in: `respond` for a whole one, or `startStream`, `send` and
/// `finish`. Calls for an exchange that has ended are ignored.
public protocol HTTPService: AnyObject {
    /// A whole request has arrived; its reply may come now or later.
    func receive(_ message: HTTPMessage, exchange: ExchangeID, on loop: isolated EventLoop)

    /// The exchange is over: called exactly once for each `receive`.
    func ended(_ exchange: ExchangeID, outcome: ExchangeOutcome, on loop: isolated EventLoop)
}
