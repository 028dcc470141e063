import Foundation
import HTTP

/// An HTTP client for GET and POST requests. It opens one connection per request and uses the proxies of the environment.
public struct WebClient: Sendable {
    private let home: WebAddress
    private let token: String?
    private let proxies: WebProxies
    private let silence: Duration
    private let replyTime: Duration
    private let mustStop: @Sendable () -> Bool
    private let tls = TLSClientContext()

    private static let mostRedirects = 10

    /// - Parameters:
    ///   - home: The only server that receives the token.
    ///   - token: A bearer token. It becomes part of a header field, so it must be printable ASCII.
    ///   - proxies: The proxies for requests.
    ///   - silence: The maximum time for which a server may send nothing.
    ///   - replyTime: The maximum time until the head of a reply is complete and, unless the caller changes the deadline, until the
    ///     body is complete.
    ///   - mustStop: A function that each waiting thread calls several times per second. Requests end once it returns true.
    public init(
        home: WebAddress, token: String?, proxies: WebProxies, silence: Duration, replyTime: Duration = .seconds(60),
        mustStop: @escaping @Sendable () -> Bool
    ) {
        (self.home, self.token, self.proxies) = (home, token, proxies)
        (self.silence, self.replyTime) = (silence, replyTime)
        self.mustStop = mustStop
    }

    /// Sends a GET request and returns the reply, after following redirects. Blocks the thread until the head of the reply has
    /// arrived.
    ///
    /// - Parameters:
    ///   - address: The URL.
    ///   - offset: The position of the first byte to request.
    /// - Throws: `WebError` if the head of the reply is incomplete, or if there are too many redirects. A redirect from https to
    ///   http is refused.
    public func get(_ address: WebAddress, from offset: Int = 0) throws(WebError) -> WebReply {
        var current = address
        for _ in 0...Self.mostRedirects {
            let fields = offset > 0 ? "Range: bytes=\(offset)-\r\n" : ""
            let reply = try send("GET", current, fields: fields, body: [])
            guard [301, 302, 303, 307, 308].contains(reply.status) else { return reply }
            guard let location = reply.fields["location"], let next = WebAddress(location, relativeTo: current),
                next.isSecure || !current.isSecure
            else { throw .redirects(current.withoutQuery) }
            current = next
        }
        throw .redirects(address.withoutQuery)
    }

    /// Sends a POST request with a JSON body and returns the reply. Redirects are not followed. Blocks the thread until the head of
    /// the reply has arrived.
    ///
    /// - Throws: `WebError` if the head of the reply is incomplete.
    public func post(_ address: WebAddress, json body: [UInt8]) throws(WebError) -> WebReply {
        let fields = "Content-Type: application/json\r\nContent-Length: \(body.count)\r\n"
        return try send("POST", address, fields: fields, body: body)
    }

    private func send(
        _ method: String, _ address: WebAddress, fields: String, body: [UInt8]
    ) throws(WebError) -> WebReply {
        let proxy = try proxies.proxy(for: address)
        let connection = try WebConnection(
            proxy ?? address, silence: silence, deadline: .now + replyTime, mustStop: mustStop)
        let login = proxy?.user.map { "Proxy-Authorization: Basic \(Data($0.utf8).base64EncodedString())\r\n" } ?? ""
        if let proxy, address.isSecure {
            let host = "\(address.host.contains(":") ? "[\(address.host)]" : address.host):\(address.port)"
            try connection.send(Array("CONNECT \(host) HTTP/1.1\r\nHost: \(host)\r\n\(login)\r\n".utf8))
            let status = try WebReply(connection, address: proxy).status
            guard status == 200 else { throw .proxy(proxy.authority, reason: "answered \(status) to CONNECT") }
        }
        if address.isSecure { try connection.startTLS(tls, host: address.host) }
        var head = method + " "
        if let proxy, !address.isSecure {
            head += "http://\(address.authority)\(address.target) HTTP/1.1\r\n\(proxy.user == nil ? "" : login)"
        } else {
            head += "\(address.target) HTTP/1.1\r\n"
        }
        head += "Host: \(address.authority)\r\nUser-Agent: trinity\r\nAccept: */*\r\nAccept-Encoding: identity\r\n"
        if let token, address.hasSameOrigin(as: home) { head += "Authorization: Bearer \(token)\r\n" }
        do throws(WebError) {
            try connection.send(Array((head + fields + "Connection: close\r\n\r\n").utf8) + body)
        } catch .closed(let host) {
            // A server may refuse a body before it has read all of it. Its reply then contains the reason (RFC 9112, section 9.5).
            guard let reply = try? WebReply(connection, address: address) else { throw .closed(host) }
            return reply
        }
        return try WebReply(connection, address: address)
    }
}
