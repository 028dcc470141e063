/// How long a peer may take, and how much one connection may hold.
public struct ConnectionLimits: Sendable {
    /// The bounds of one request.
    public var wire = WireLimits()

    /// From the first byte of a head (on a new connection: from its start) to its end.
    public var headerTimeout = Duration.seconds(30)
    /// Between two arrivals of body bytes.
    public var bodyTimeout = Duration.seconds(60)
    /// From the end of a reply to the next request.
    public var idleTimeout = Duration.seconds(75)
    /// Without the kernel taking a byte of what is to be written.
    public var writeTimeout = Duration.seconds(60)
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
