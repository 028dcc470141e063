import Foundation
import HTTP

/// Requests with GET and POST, one connection for each, over proxies where the environment has them.
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
    ///   - home: the only server that gets the token.
    ///   - token: a bearer token; it becomes a part of a header, so it must be printable ASCII.
    ///   - proxies: the proxies for requests.
    ///   - silence: how long a server may send nothing.
    ///   - replyTime: time for the head of a reply and, unless the caller moves the deadline, for all of it.
    ///   - mustStop: called several times a second, by each thread that waits; once it returns true, requests end.
    public init(
        home: WebAddress, token: String?, proxies: WebProxies, silence: Duration, replyTime: Duration = .seconds(60),
        mustStop: @escaping @Sendable () -> Bool
    ) {
        (self.home, self.token, self.proxies) = (home, token, proxies)
        (self.silence, self.replyTime) = (silence, replyTime)
        self.mustStop = mustStop
    }

    /// The reply to a request, after redirects. Blocks the thread until the reply's head is there.
    ///
    /// - Parameters:
    ///   - address: the URL.
    ///   - offset: the first byte that is wanted.
    /// - Throws: `WebError` without a whole head of a reply, or with too many redirects. A redirect from https to http is refused.
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

    /// The reply to a request with a body of JSON. Redirects are not followed. Blocks the thread until the reply's head is there.
    ///
    /// - Throws: `WebError` without a whole head of a reply.
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
            // A server may refuse a body before it has read it, and its reply says why (RFC 9112, section 9.5).
            guard let reply = try? WebReply(connection, address: address) else { throw .closed(host) }
            return reply
        }
        return try WebReply(connection, address: address)
    }
}
