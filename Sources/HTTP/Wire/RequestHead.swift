import HTTPTypes

/// A parsed request line and header, with their effects on the connection.
package struct RequestHead {
    package enum Version {
        case http10
        case http11
    }

    /// How the end of the body is found (RFC 9112, 6.3).
    package enum Framing: Equatable {
        /// Content-Length, or 0 if there is no body.
        case length(Int)
        case chunked
    }

    package var request: HTTPRequest
    package var version: Version
    package var framing: Framing
    /// Whether the peer allows the connection to stay open (RFC 9112, 9.3).
    package var keepsAlive: Bool
    /// Whether the peer waits for 100 Continue before it sends its body (RFC 9110, 10.1.1).
    var expectsContinue: Bool
}
