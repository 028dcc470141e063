import HTTPTypes

/// What an event loop is told at its start.
public struct HTTPConfiguration: Sendable {
    /// Bounds of one connection.
    public var limits = ConnectionLimits()
    /// Ordinary connections at a time.
    public var maxConnections = 1024
    /// At the maximum, the connection that has owed a whole request for longest gives way to a new one, once it has owed it for
    /// so long: many clients that are slow to ask do not keep others out.
    public var patienceAtMaximum = Duration.seconds(1)
    /// Connections beyond the maximum, where none gives way, on which `reservedPaths` alone are answered, and all else with
    /// 503. Beyond these too, a connection is closed at once.
    public var reservedConnections = 16
    /// Paths without query.
    public var reservedPaths: Set<String> = ["/health", "/ready", "/metrics"]
    /// TLS handshakes that are computed at the same time, beside the loop.
    public var maxHandshakes = 2
    /// Connections that the kernel holds for us to accept.
    public var backlog = 1024
    /// How long accepting pauses when descriptors have run out.
    public var acceptPause = Duration.milliseconds(100)
    /// Whether a request's body is worth reading. Where it is not, the service gets the request with an empty body at once, and
    /// the connection ends after its reply: nobody who may not ask for anything gets megabytes of memory.
    public var readsBody: @Sendable (HTTPRequest) -> Bool = { _ in true }
    /// Renders the body of a reply to a request that no service saw; its status is the error's.
    public var errorBody: @Sendable (WireError) -> (contentType: String, body: [UInt8]) = { error in
        ("text/plain; charset=utf-8", Array((error.reason + "\n").utf8))
    }

    public init() {}
}
