/// The size limits of a request, with the status code of a request that exceeds them.
public struct WireLimits: Sendable {
    /// The maximum length of a request line in bytes; above it: 414.
    public var requestLineBytes = 8 * 1024
    /// The maximum total size of header lines in bytes, and of the chunk extensions and trailer lines of a body; above it: 431, or
    /// 400 for the extensions.
    public var headerBytes = 32 * 1024
    /// The maximum number of header fields, and of trailer fields; above it: 431.
    public var headerFields = 100
    /// The maximum size of the decoded body in bytes; above it: 413.
    public var bodyBytes = 32 * 1024 * 1024
    /// The maximum length of a chunk-size line with its extensions in bytes; above it: 400.
    public var chunkLineBytes = 1024

    public init() {}
}
