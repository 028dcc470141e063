/// Time and memory limits of one connection.
public struct ConnectionLimits: Sendable {
    /// The bounds of one request.
    public var wire = WireLimits()

    /// The maximum time from the first byte of a head (on a new connection: from its start) to the end of the head.
    public var headerTimeout = Duration.seconds(30)
    /// The maximum time from the end of a head to the end of its body.
    public var bodyTimeout = Duration.seconds(600)
    /// The minimum rate at which a body must arrive, in bytes per second, measured over each window.
    public var minBodyRate = 1024
    /// The window of ``minBodyRate``, and therefore the longest time that a body can stall.
    public var bodyWindow = Duration.seconds(10)
    /// The maximum time from the end of a reply to the next request.
    public var idleTimeout = Duration.seconds(75)
    /// The minimum rate at which a peer must read pending output, in bytes per second, measured over each window.
    public var minWriteRate = 1024
    /// The window of ``minWriteRate``. The kernel accepts bytes in batches of up to a megabyte, so the window is long.
    public var writeWindow = Duration.seconds(60)
    /// The time that a connection is still read after its last reply, so that the reply is not lost to a reset (RFC 9112, 9.6).
    public var lingerTimeout = Duration.seconds(5)
    /// The maximum number of bytes that are read and discarded in that time.
    public var lingerBytes = 64 * 1024 * 1024

    /// The maximum number of pending bytes of a stream. Beyond it, the connection is closed. A single whole reply may be larger.
    public var outboundBytes = 4 * 1024 * 1024
    /// The number of buffered bytes of pipelined requests at which reading pauses, while a request is served.
    public var pipelinedBytes = 64 * 1024

    public init() {}
}
