/// Size limits of a request. Each limit has its own status code.
public struct WireLimits: Sendable {
    /// The longest request line in bytes; over it 414.
    public var requestLineBytes = 8 * 1024
    /// All header lines together in bytes, and all chunk extensions and trailer lines of a body; over it 431, or 400 for the
    /// extensions.
    public var headerBytes = 32 * 1024
    /// The number of header fields, and of trailer fields; over it 431.
    public var headerFields = 100
    /// The decoded body in bytes; over it 413.
    public var bodyBytes = 32 * 1024 * 1024
    /// A chunk-size line with its extensions in bytes; over it 400.
    public var chunkLineBytes = 1024

    public init() {}
}
