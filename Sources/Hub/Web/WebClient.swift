import Foundation
import HTTP

/// Requests with GET, one connection for each, over proxies where the environment has them. Redirects are followed.
struct WebClient: Sendable {
    let proxies: WebProxies
    let silence: Duration
    /// The access token, sent to `home` only.
    let token: String?
    let home: WebAddress
    private let mustStop: @Sendable () -> Bool
    private let tls = TLSClientContext()

    private static let mostRedirects = 10
    /// Time for the head of a reply and, unless the caller moves the deadline, for all of it.
    private static let replyTime = Duration.seconds(60)

    init(
        home: WebAddress, token: String?, proxies: WebProxies, silence: Duration,
        mustStop: @escaping @Sendable () -> Bool
    ) {
        (self.home, self.token, self.proxies, self.silence) = (home, token, proxies, silence)
        self.mustStop = mustStop
    }

    /// The reply to a request, after redirects.
    ///
    /// - Parameters:
    ///   - address: the URL.
    ///   - offset: the first byte that is wanted.
    func get(_ address: WebAddress, from offset: Int = 0) throws(WebError) -> WebReply {
        var current = address
        for _ in 0...Self.mostRedirects {
            let reply = try ask(current, offset)
            guard [301, 302, 303, 307, 308].contains(reply.status) else { return reply }
            guard let location = reply.fields["location"], let next = WebAddress(location, relativeTo: current),
                next.isSecure || !current.isSecure
            else { throw .redirects(current.withoutQuery) }
            current = next
        }
        throw .redirects(address.withoutQuery)
    }

    private func ask(_ address: WebAddress, _ offset: Int) throws(WebError) -> WebReply {
        let proxy = try proxies.proxy(for: address)
        let connection = try WebConnection(
            proxy ?? address, silence: silence, deadline: .now + Self.replyTime, mustStop: mustStop)
        let login = proxy?.user.map { "Proxy-Authorization: Basic \(Data($0.utf8).base64EncodedString())\r\n" } ?? ""
        if let proxy, address.isSecure {
            let host = "\(address.host.contains(":") ? "[\(address.host)]" : address.host):\(address.port)"
            try connection.send("CONNECT \(host) HTTP/1.1\r\nHost: \(host)\r\n\(login)\r\n")
            let status = try WebReply(connection, address: proxy).status
            guard status == 200 else { throw .proxy(proxy.authority, reason: "answered \(status) to CONNECT") }
        }
        if address.isSecure { try connection.startTLS(tls, host: address.host) }
        var head = "GET "
        if let proxy, !address.isSecure {
            head += "http://\(address.authority)\(address.target) HTTP/1.1\r\n\(proxy.user == nil ? "" : login)"
        } else {
            head += "\(address.target) HTTP/1.1\r\n"
        }
        head += "Host: \(address.authority)\r\nUser-Agent: trinity\r\nAccept: */*\r\nAccept-Encoding: identity\r\n"
        if let token, address.hasSameOrigin(as: home) { head += "Authorization: Bearer \(token)\r\n" }
        if offset > 0 { head += "Range: bytes=\(offset)-\r\n" }
        try connection.send(head + "Connection: close\r\n\r\n")
        return try WebReply(connection, address: address)
    }
}
