import Testing

@testable import HTTP

/// Requests as bytes, each with what a reader must make of it.
struct CorpusCase: Sendable, CustomTestStringConvertible {
    enum Outcome: Equatable, Sendable {
        /// `method authority path body`.
        case request(String)
        case refused(WireError)
        case incomplete
    }

    let name: String
    let bytes: String
    let outcome: Outcome

    init(_ name: String, _ bytes: String, _ outcome: Outcome) {
        self.name = name
        self.bytes = bytes
        self.outcome = outcome
    }

    var testDescription: String { name }
}

enum RequestCorpus {
    /// Small limits, so that the cases about them stay readable.
    static var limits: WireLimits {
        var limits = WireLimits()
        limits.requestLineBytes = 64
        limits.headerBytes = 160
        limits.headerFields = 6
        limits.bodyBytes = 32
        limits.chunkLineBytes = 24
        return limits
    }

    static let all: [CorpusCase] = requestLines + targets + fields + hosts + contentLengths + chunked + oldVersions

    static let requestLines: [CorpusCase] = [
        .init("a plain GET", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", .request("GET a / ")),
        .init(
            "an unknown method is the service's business", "BREW /pot HTTP/1.1\r\nHost: a\r\n\r\n",
            .request("BREW a /pot ")),
        .init(
            "one empty line before the request is skipped", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            .request("GET a / ")),
        .init("two empty lines are not", "\r\n\r\nGET / HTTP/1.1\r\n", .refused(.malformedRequestLine)),
        .init("a head without its end", "GET / HTTP/1.1\r\nHost: a\r\n", .incomplete),
        .init("a higher minor version is read as 1.1", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", .request("GET a / ")),
        .init("HTTP/2.0", "GET / HTTP/2.0\r\n", .refused(.unsupportedVersion)),
        .init("HTTP/0.9 by number", "GET / HTTP/0.9\r\n", .refused(.unsupportedVersion)),
        .init("HTTP/0.9 by form", "GET /\r\n", .refused(.malformedRequestLine)),
        .init("a version in lower case", "GET / http/1.1\r\n", .refused(.malformedRequestLine)),
        .init("a version of two digits", "GET / HTTP/1.10\r\n", .refused(.malformedRequestLine)),
        .init("two blanks in the request line", "GET  / HTTP/1.1\r\n", .refused(.malformedTarget)),
        .init("a blank before the method", " GET / HTTP/1.1\r\n", .refused(.malformedRequestLine)),
        .init("a blank after the version", "GET / HTTP/1.1 \r\n", .refused(.malformedRequestLine)),
        .init("a tab for a blank", "GET\t/\tHTTP/1.1\r\n", .refused(.malformedRequestLine)),
        .init("a method that is no token", "G@T / HTTP/1.1\r\n", .refused(.malformedRequestLine)),
        .init("a bare LF", "GET / HTTP/1.1\nHost: a\n\n", .refused(.bareLineFeed)),
        .init("a bare CR", "GET / HTTP/1.1\rHost: a\r\n", .refused(.bareCarriageReturn)),
        .init("a NUL", "GET /\0 HTTP/1.1\r\n", .refused(.forbiddenByte)),
        .init("a TLS greeting", "\u{16}\u{03}\u{01}", .refused(.forbiddenByte)),
        .init(
            "a request line of just the limit", "GET /\(String(repeating: "a", count: 50)) HTTP/1.1\r\nHost: a\r\n\r\n",
            .request("GET a /\(String(repeating: "a", count: 50)) ")),
        .init(
            "a request line one byte longer", "GET /\(String(repeating: "a", count: 51)) HTTP/1.1\r\n",
            .refused(.requestLineTooLong)),
    ]

    static let targets: [CorpusCase] = [
        .init("a query", "GET /a?b=c HTTP/1.1\r\nHost: a\r\n\r\n", .request("GET a /a?b=c ")),
        .init("a fragment", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", .refused(.malformedTarget)),
        .init("a path without its slash", "GET a HTTP/1.1\r\nHost: a\r\n\r\n", .refused(.malformedTarget)),
        .init("a byte above ASCII in the path", "GET /\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n", .refused(.malformedTarget)),
        .init(
            "the absolute form, whose authority beats Host", "GET http://b:80/x?y HTTP/1.1\r\nHost: a\r\n\r\n",
            .request("GET b:80 /x?y ")),
        .init("the absolute form without a path", "GET HTTP://b HTTP/1.1\r\nHost: a\r\n\r\n", .request("GET b / ")),
        .init(
            "the absolute form with a query only", "GET http://b?x HTTP/1.1\r\nHost: a\r\n\r\n", .request("GET b /?x ")),
        .init("the absolute form of another scheme", "GET ftp://b/ HTTP/1.1\r\n", .refused(.malformedTarget)),
        .init("the absolute form with a user", "GET http://u@b/ HTTP/1.1\r\n", .refused(.malformedTarget)),
        .init("the absolute form without a host", "GET http:///x HTTP/1.1\r\n", .refused(.malformedTarget)),
        .init("the asterisk form", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", .request("OPTIONS a * ")),
        .init(
            "the asterisk form of all of a host", "OPTIONS http://b HTTP/1.1\r\nHost: a\r\n\r\n",
            .request("OPTIONS b * ")),
        .init("the asterisk form for GET", "GET * HTTP/1.1\r\n", .refused(.malformedTarget)),
        .init("CONNECT", "CONNECT a:80 HTTP/1.1\r\n", .refused(.unsupportedMethod)),
    ]

    static let fields: [CorpusCase] = [
        .init("blanks around a value", "GET / HTTP/1.1\r\nHost: \t a \t\r\n\r\n", .request("GET a / ")),
        .init("an empty value", "GET / HTTP/1.1\r\nHost: a\r\nX:\r\n\r\n", .request("GET a / ")),
        .init("a value above ASCII", "GET / HTTP/1.1\r\nHost: a\r\nX: \u{e9}\r\n\r\n", .request("GET a / ")),
        .init(
            "an upgrade is not heard", "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
            .request("GET a / ")),
        .init("a blank before the colon", "GET / HTTP/1.1\r\nHost : a\r\n", .refused(.malformedField)),
        .init("no colon", "GET / HTTP/1.1\r\nHost\r\n", .refused(.malformedField)),
        .init("no name", "GET / HTTP/1.1\r\n: a\r\n", .refused(.malformedField)),
        .init("a name that is no token", "GET / HTTP/1.1\r\nH(st: a\r\n", .refused(.malformedField)),
        .init("a folded line", "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n", .refused(.foldedField)),
        .init("a blank before the first name", "GET / HTTP/1.1\r\n Host: a\r\n", .refused(.foldedField)),
        .init("a bare LF inside the header", "GET / HTTP/1.1\r\nHost: a\nX: b\r\n", .refused(.bareLineFeed)),
        .init("a bare CR inside a value", "GET / HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n", .refused(.bareCarriageReturn)),
        .init("a NUL inside a value", "GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n", .refused(.forbiddenByte)),
        .init("a DEL inside a value", "GET / HTTP/1.1\r\nHost: a\r\nX: b\u{7f}c\r\n", .refused(.forbiddenByte)),
        .init(
            "as many fields as the limit",
            "GET / HTTP/1.1\r\nHost: a\r\n" + String(repeating: "X: b\r\n", count: 5) + "\r\n", .request("GET a / ")),
        .init(
            "one field more", "GET / HTTP/1.1\r\nHost: a\r\n" + String(repeating: "X: b\r\n", count: 6) + "\r\n",
            .refused(.headerTooLarge)),
        .init(
            "one long field", "GET / HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "b", count: 160))",
            .refused(.headerTooLarge)),
        .init(
            "fields that are long together",
            "GET / HTTP/1.1\r\nHost: a\r\n"
                + String(repeating: "X: \(String(repeating: "b", count: 75))\r\n", count: 2),
            .refused(.headerTooLarge)),
        .init(
            "an expectation", "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\nx",
            .request("PUT a / x")),
        .init(
            "another expectation", "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\n", .refused(.unsupportedExpectation)),
    ]

    static let hosts: [CorpusCase] = [
        .init("no Host", "GET / HTTP/1.1\r\n\r\n", .refused(.malformedHost)),
        .init("no Host, but an absolute target", "GET http://b/ HTTP/1.1\r\n\r\n", .refused(.malformedHost)),
        .init("two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n", .refused(.malformedHost)),
        .init("an empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", .request("GET  / ")),
        .init("a Host with a port", "GET / HTTP/1.1\r\nHost: a.b:8000\r\n\r\n", .request("GET a.b:8000 / ")),
        .init("an IPv6 Host", "GET / HTTP/1.1\r\nHost: [::1]:8000\r\n\r\n", .request("GET [::1]:8000 / ")),
        .init("an IPv6 Host without its end", "GET / HTTP/1.1\r\nHost: [::1\r\n", .refused(.malformedHost)),
        .init("a Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n", .refused(.malformedHost)),
        .init("a Host list", "GET / HTTP/1.1\r\nHost: a, b\r\n", .refused(.malformedHost)),
        .init("a Host with a worded port", "GET / HTTP/1.1\r\nHost: a:http\r\n", .refused(.malformedHost)),
    ]

    static let contentLengths: [CorpusCase] = [
        .init("a body", post("Content-Length: 5\r\n", "hello"), .request("POST a / hello")),
        .init("no length is no body", post("", ""), .request("POST a / ")),
        .init("length 0", post("Content-Length: 0\r\n", ""), .request("POST a / ")),
        .init("a body that goes on", post("Content-Length: 5\r\n", "hell"), .incomplete),
        .init("a body of just the limit", post("Content-Length: 32\r\n", body32), .request("POST a / \(body32)")),
        .init("a longer one", post("Content-Length: 33\r\n", ""), .refused(.bodyTooLarge)),
        .init(
            "one longer than an integer", post("Content-Length: 99999999999999999999999\r\n", ""),
            .refused(.bodyTooLarge)),
        .init(
            "an equal length twice", post("Content-Length: 5\r\nContent-Length: 5\r\n", ""),
            .refused(.conflictingFraming)),
        .init("two lengths", post("Content-Length: 5\r\nContent-Length: 6\r\n", ""), .refused(.conflictingFraming)),
        .init("a list of lengths", post("Content-Length: 5, 5\r\n", ""), .refused(.malformedContentLength)),
        .init("a signed length", post("Content-Length: +5\r\n", ""), .refused(.malformedContentLength)),
        .init("a negative length", post("Content-Length: -5\r\n", ""), .refused(.malformedContentLength)),
        .init("a hexadecimal length", post("Content-Length: 0x5\r\n", ""), .refused(.malformedContentLength)),
        .init("an empty length", post("Content-Length:\r\n", ""), .refused(.malformedContentLength)),
    ]

    static let chunked: [CorpusCase] = [
        .init("chunks", chunks("5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n"), .request("POST a / hello!")),
        .init("an empty chunked body", chunks("0\r\n\r\n"), .request("POST a / ")),
        .init(
            "sizes in either case, with zeros", chunks("00a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n"),
            .request("POST a / 01234567890123456789")),
        .init("an extension", chunks("5;a=b\r\nhello\r\n0 ; x=\"y\"\r\n\r\n"), .request("POST a / hello")),
        .init("trailers", chunks("0\r\nX: y\r\nZ: w\r\n\r\n"), .request("POST a / ")),
        .init("chunks without their end", chunks("5\r\nhello\r\n"), .incomplete),
        .init("no size", chunks("\r\n"), .refused(.malformedChunk)),
        .init("a size with a prefix", chunks("0x5\r\n"), .refused(.malformedChunk)),
        .init("a signed size", chunks("+5\r\n"), .refused(.malformedChunk)),
        .init("a blank before a size", chunks(" 5\r\n"), .refused(.malformedChunk)),
        .init("a blank after a size", chunks("5 \r\n"), .refused(.malformedChunk)),
        .init("a size that would overflow", chunks("fffffffffffffffff\r\n"), .refused(.malformedChunk)),
        .init("a long extension", chunks("5;\(String(repeating: "a", count: 30))"), .refused(.malformedChunk)),
        .init("a size line with bare LF", chunks("5\nhello"), .refused(.bareLineFeed)),
        .init("an extension with bare CR", chunks("5;a\rb\r\n"), .refused(.bareCarriageReturn)),
        .init("a chunk longer than its size", chunks("5\r\nhello!\r\n"), .refused(.malformedChunk)),
        .init("a chunk that ends with LF", chunks("5\r\nhello\n0\r\n"), .refused(.malformedChunk)),
        .init("a chunk over the limit", chunks("21\r\n"), .refused(.bodyTooLarge)),
        .init("chunks over the limit together", chunks("20\r\n\(body32)\r\n1\r\n"), .refused(.bodyTooLarge)),
        .init("a folded trailer", chunks("0\r\nX: y\r\n z\r\n"), .refused(.foldedField)),
        .init("a malformed trailer", chunks("0\r\nnonsense\r\n"), .refused(.malformedField)),
        .init(
            "too many trailers", chunks("0\r\n" + String(repeating: "X: y\r\n", count: 7)), .refused(.headerTooLarge)),
        .init("a long trailer", chunks("0\r\nX: \(String(repeating: "y", count: 160))"), .refused(.headerTooLarge)),
        .init(
            "chunked and a length", post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", ""),
            .refused(.conflictingFraming)),
        .init(
            "a length and chunked", post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", ""),
            .refused(.conflictingFraming)),
        .init("chunked twice", post("Transfer-Encoding: chunked, chunked\r\n", ""), .refused(.conflictingFraming)),
        .init("gzip", post("Transfer-Encoding: gzip, chunked\r\n", ""), .refused(.unsupportedTransferCoding)),
        .init("an unknown coding", post("Transfer-Encoding: xchunked\r\n", ""), .refused(.unsupportedTransferCoding)),
        .init(
            "a coding with a vertical tab", post("Transfer-Encoding: \u{0b}chunked\r\n", ""), .refused(.forbiddenByte)),
        .init("no coding", post("Transfer-Encoding:\r\n", ""), .refused(.unsupportedTransferCoding)),
        .init("CHUNKED", post("Transfer-Encoding: CHUNKED\r\n", "0\r\n\r\n"), .request("POST a / ")),
    ]

    static let oldVersions: [CorpusCase] = [
        .init("HTTP/1.0 needs no Host", "GET / HTTP/1.0\r\n\r\n", .request("GET - / ")),
        .init("HTTP/1.0 with a body", "POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi", .request("POST - / hi")),
        .init(
            "HTTP/1.0 knows no codings", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
            .refused(.conflictingFraming)),
    ]

    private static let body32 = "0123456789abcdef0123456789abcdef"

    private static func post(_ fields: String, _ body: String) -> String {
        "POST / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n\(body)"
    }

    private static func chunks(_ body: String) -> String {
        post("Transfer-Encoding: chunked\r\n", body)
    }
}
