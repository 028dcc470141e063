import HTTPTypes

/// What an event loop is told at its start.
public struct HTTPConfiguration: Sendable {
    /// Bounds of one connection.
    public var limits = ConnectionLimits()
    /// What the bodies of all requests are charged to, from their first bytes until the service has released them; 256 MiB. A body
    /// beyond it gets 503. The first 64 KiB of a body are not charged.
    public var bodyBudget = MemoryBudget(limit: 256 * 1024 * 1024)
    /// What may wait to be written to all connections, in bytes; beyond it the connection that has most waiting is cut off.
    public var outboundBytes = 256 * 1024 * 1024
    /// Ordinary connections at a time.
    public var maxConnections = 1024
    /// At the maximum, the connection that has owed a whole request for longest gives way to a new one, once it has owed it for
    /// so long: many clients that are slow to ask do not keep others out.
    public var patienceAtMaximum = Duration.seconds(1)
    /// Connections beyond the maximum, where none gives way, on which `reservedPaths` alone are answered, and all else with
    /// 503. Beyond these too, a connection is closed at once.
    public var reservedConnections = 16
    /// Paths without query.
    public var reservedPaths: Set<String> = ["/health", "/ready", "/ping", "/metrics"]
    /// TLS handshakes that are computed at the same time, beside the loop.
    public var maxHandshakes = 2
    /// Connections that the kernel holds for us to accept.
    public var backlog = 1024
    /// How long accepting pauses when descriptors have run out.
    public var acceptPause = Duration.milliseconds(100)
    /// Whose account of `bodyBudget` a request's body is charged to; nil: it is not worth reading. Then the service gets the
    /// request with an empty body at once, and the connection ends after its reply: nobody who may not ask for anything gets
    /// megabytes of memory.
    public var bodyAccount: @Sendable (HTTPRequest) -> MemoryBudget.Account? = { _ in .common }
    /// Renders the body of a reply to a request that no service saw; its status is the error's.
    public var errorBody: @Sendable (WireError) -> (contentType: String, body: [UInt8]) = { error in
        ("text/plain; charset=utf-8", Array((error.reason + "\n").utf8))
    }

    public init() {}
}
