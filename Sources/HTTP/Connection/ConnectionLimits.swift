/// How long a peer may take, and how much one connection may hold.
public struct ConnectionLimits: Sendable {
    /// The bounds of one request.
    public var wire = WireLimits()

    /// From the first byte of a head (on a new connection: from its start) to its end.
    public var headerTimeout = Duration.seconds(30)
    /// From the end of a head to the end of its body.
    public var bodyTimeout = Duration.seconds(600)
    /// The least that arrives of a body, in bytes a second, in each window until it has ended.
    public var minBodyRate = 1024
    /// A window of ``minBodyRate``, and so the longest that a body can stall.
    public var bodyWindow = Duration.seconds(10)
    /// From the end of a reply to the next request.
    public var idleTimeout = Duration.seconds(75)
    /// The least that a peer reads of what waits to be written, in bytes a second, in each window until nothing waits.
    public var minWriteRate = 1024
    /// A window of ``minWriteRate``. The kernel takes bytes in lumps of up to a megabyte, so it is long.
    public var writeWindow = Duration.seconds(60)
    /// How long a connection that was answered for the last time is still read, so that the answer is not lost to a reset
    /// (RFC 9112, 9.6).
    public var lingerTimeout = Duration.seconds(5)
    /// How many bytes are read and dropped in that time.
    public var lingerBytes = 64 * 1024 * 1024

    /// What a stream may have waiting for a slow reader; over it the reader is cut off. One whole reply may be larger.
    public var outboundBytes = 4 * 1024 * 1024
    /// What is kept of pipelined requests while one is served; then reading pauses.
    public var pipelinedBytes = 64 * 1024

    public init() {}
}
