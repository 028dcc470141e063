import Foundation

/// The proxies that the environment variables http_proxy, https_proxy, all_proxy and no_proxy define, in lowercase or uppercase.
public struct WebProxies: Sendable, Hashable {
    private var plain: String?
    private var secure: String?
    private var exceptions: [String] = []

    /// - Parameter environment: The environment variables, without empty ones.
    public init(environment: [String: String]) {
        func value(_ name: String) -> String? { environment[name] ?? environment[name.uppercased()] }
        // A CGI program must not use HTTP_PROXY, because a header of its client can set it. This program is never run as CGI.
        plain = value("http_proxy") ?? value("all_proxy")
        secure = value("https_proxy") ?? value("all_proxy")
        exceptions = (value("no_proxy") ?? "").split(separator: ",").map {
            $0.trimmingCharacters(in: .whitespaces).lowercased()
        }
    }

    /// Returns the proxy for requests to `address`, or `nil` for none.
    ///
    /// - Throws: `WebError.proxy` if the proxy is not an HTTP proxy.
    public func proxy(for address: WebAddress) throws(WebError) -> WebAddress? {
        guard let text = address.isSecure ? secure : plain, !exceptions.contains(where: { address.matches($0) }) else {
            return nil
        }
        let url = text.contains("://") ? text : "http://" + text
        guard let proxy = WebAddress(url), !proxy.isSecure else {
            // The URL may contain a password.
            throw .proxy(String(url.prefix { $0 != ":" }), reason: "only proxies with http:// are supported")
        }
        return proxy
    }
}

extension WebAddress {
    /// Returns whether an entry of no_proxy matches this host: `*`, the name of the host, or a parent domain, the latter two also
    /// with a port.
    fileprivate func matches(_ exception: String) -> Bool {
        if exception == "*" { return true }
        let suffix = ":\(port)"
        let name = exception.hasSuffix(suffix) ? String(exception.dropLast(suffix.count)) : exception
        let domain = name.hasPrefix(".") ? String(name.dropFirst()) : name
        return !domain.isEmpty && (host == domain || host.hasSuffix("." + domain))
    }
}
