import HTTPTypes

/// Encodes responses as bytes (RFC 9112, 4 and 7). Framing and connection fields are written only here, and those that a
/// service sets are left out.
enum ResponseEncoder {
    /// How the end of the reply is marked.
    enum Framing: Equatable {
        case length(Int)
        case chunked
        /// By closing the connection, the only possibility for a stream to an HTTP/1.0 peer.
        case close
        /// The status code implies that there is no body (RFC 9110, 8.6).
        case none
    }

    /// Appends the status line and header.
    ///
    /// - Parameters:
    ///   - date: The Date field's value.
    ///   - connection: The Connection field's value; nil leaves the field out.
    static func head(
        _ head: HTTPResponse, framing: Framing, connection: StaticString?, date: String, into bytes: inout [UInt8]
    ) {
        bytes.append(contentsOf: "HTTP/1.1 ".utf8)
        append(head.status.code, to: &bytes)
        bytes.append(.space)
        bytes.append(contentsOf: head.status.reasonPhrase.utf8)
        bytes.append(contentsOf: "\r\nDate: ".utf8)
        bytes.append(contentsOf: date.utf8)
        bytes.append(contentsOf: "\r\n".utf8)
        for field in head.headerFields where !isOwn(field.name) {
            bytes.append(contentsOf: field.name.rawName.utf8)
            bytes.append(contentsOf: ": ".utf8)
            field.withUnsafeBytesOfValue { bytes.append(contentsOf: $0) }
            bytes.append(contentsOf: "\r\n".utf8)
        }
        switch framing {
        case .length(let count):
            bytes.append(contentsOf: "Content-Length: ".utf8)
            append(count, to: &bytes)
            bytes.append(contentsOf: "\r\n".utf8)
        case .chunked: bytes.append(contentsOf: "Transfer-Encoding: chunked\r\n".utf8)
        case .close, .none: break
        }
        if let connection {
            bytes.append(contentsOf: "Connection: ".utf8)
            connection.withUTF8Buffer { bytes.append(contentsOf: $0) }
            bytes.append(contentsOf: "\r\n".utf8)
        }
        bytes.append(contentsOf: "\r\n".utf8)
    }

    /// Appends one chunk. An empty one is omitted, because it would end the body.
    static func chunk(_ data: [UInt8], into bytes: inout [UInt8]) {
        guard !data.isEmpty else { return }
        bytes.append(contentsOf: String(data.count, radix: 16).utf8)
        bytes.append(contentsOf: "\r\n".utf8)
        bytes.append(contentsOf: data)
        bytes.append(contentsOf: "\r\n".utf8)
    }

    /// The chunk that ends a body.
    static let lastChunk = Array("0\r\n\r\n".utf8)

    /// The interim response that requests the body (RFC 9110, 15.2.1).
    static let `continue` = Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)

    /// Appends the decimal digits of a number that is not negative.
    private static func append(_ number: Int, to bytes: inout [UInt8]) {
        if number > 9 { append(number / 10, to: &bytes) }
        bytes.append(UInt8(ascii: "0") + UInt8(number % 10))
    }

    private static func isOwn(_ name: HTTPField.Name) -> Bool {
        let name = name.canonicalName
        // The length excludes most names without a comparison.
        return switch name.utf8.count {
        case 4: name == "date"
        case 10: name == "connection" || name == "keep-alive"
        case 14: name == "content-length"
        case 17: name == "transfer-encoding"
        default: false
        }
    }
}
