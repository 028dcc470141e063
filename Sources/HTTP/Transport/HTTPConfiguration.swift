import HTTPTypes

/// The configuration of an event loop.
public struct HTTPConfiguration: Sendable {
    /// The limits of one connection.
    public var limits = ConnectionLimits()
    /// The memory budget of all request bodies, from their first bytes until the service has released them. A body beyond it gets
    /// 503. The first 64 KiB of a body are not charged.
    public var bodyBudget = MemoryBudget(limit: 256 * 1024 * 1024)
    /// The maximum total pending output of all connections, in bytes. Beyond it, the connection with the most pending output is
    /// closed.
    public var outboundBytes = 256 * 1024 * 1024
    /// The maximum number of ordinary connections.
    public var maxConnections = 1024
    /// At the maximum, the connection that has waited longest for a complete request, and at least for this time, is closed to
    /// make room for a new one, so that slow clients do not block others.
    public var patienceAtMaximum = Duration.seconds(1)
    /// The number of connections beyond the maximum, if none can be closed, on which only `reservedPaths` are served, and all
    /// other requests get 503. Further connections are closed at once.
    public var reservedConnections = 16
    /// The paths, without query, that are served on reserved connections.
    public var reservedPaths: Set<String> = ["/health", "/ready", "/ping", "/metrics"]
    /// The maximum number of TLS handshakes that are computed at the same time, off the loop.
    public var maxHandshakes = 2
    /// The length of the kernel's queue of connections to accept.
    public var backlog = 1024
    /// The time that accepting pauses if there are no file descriptors left.
    public var acceptPause = Duration.milliseconds(100)
    /// The time for which the loop polls for the next request after a reply, unless another reply is awaited, before it blocks. It
    /// uses a CPU for this time, so it should be zero if the process has only one.
    public var polling = Duration.microseconds(50)
    /// Returns the account of `bodyBudget` for a request's body. If it is nil, the body is not read: the service gets the request
    /// with an empty body at once, and the connection ends after its reply, so that unauthorized clients cannot use memory.
    public var bodyAccount: @Sendable (HTTPRequest) -> MemoryBudget.Account? = { _ in .common }
    /// Renders the body of a reply to a request that did not reach the service. The reply has the status of the error.
    public var errorBody: @Sendable (WireError) -> (contentType: String, body: [UInt8]) = { error in
        ("text/plain; charset=utf-8", Array((error.reason + "\n").utf8))
    }

    public init() {}
}
