import HTTPTypes

/// A parsed request line and header, with what they say about the connection.
struct RequestHead {
    enum Version {
        case http10
        case http11
    }

    /// How the body's end is found (RFC 9112, 6.3).
    enum Framing: Equatable {
        /// Content-Length, or 0 when there is no body.
        case length(Int)
        case chunked
    }

    var request: HTTPRequest
    var version: Version
    var framing: Framing
    /// The peer lets the connection stay open (RFC 9112, 9.3).
    var keepsAlive: Bool
    /// The peer waits for 100 Continue before it sends its body (RFC 9110, 10.1.1).
    var expectsContinue: Bool
}
