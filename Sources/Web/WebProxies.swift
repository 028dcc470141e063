import Foundation

/// The proxies of the environment: http_proxy, https_proxy, all_proxy and no_proxy, in lowercase or uppercase.
public struct WebProxies: Sendable, Hashable {
    private var plain: String?
    private var secure: String?
    private var exceptions: [String] = []

    /// - Parameter environment: variables without empty values.
    public init(environment: [String: String]) {
        func value(_ name: String) -> String? { environment[name] ?? environment[name.uppercased()] }
        // A server that runs as a CGI program gets HTTP_PROXY from a header of its client, this one never does.
        plain = value("http_proxy") ?? value("all_proxy")
        secure = value("https_proxy") ?? value("all_proxy")
        exceptions = (value("no_proxy") ?? "").split(separator: ",").map {
            $0.trimmingCharacters(in: .whitespaces).lowercased()
        }
    }

    /// The proxy for requests to `address`; `nil`: none.
    ///
    /// - Throws: `WebError.proxy` for a proxy that is no HTTP proxy.
    public func proxy(for address: WebAddress) throws(WebError) -> WebAddress? {
        guard let text = address.isSecure ? secure : plain, !exceptions.contains(where: { address.matches($0) }) else {
            return nil
        }
        let url = text.contains("://") ? text : "http://" + text
        guard let proxy = WebAddress(url), !proxy.isSecure else {
            // The URL may have a password.
            throw .proxy(String(url.prefix { $0 != ":" }), reason: "only proxies with http:// are supported")
        }
        return proxy
    }
}

extension WebAddress {
    /// Whether an entry of no_proxy means this host: `*`, its name, a domain above it, or either with a port.
    fileprivate func matches(_ exception: String) -> Bool {
        if exception == "*" { return true }
        let suffix = ":\(port)"
        let name = exception.hasSuffix(suffix) ? String(exception.dropLast(suffix.count)) : exception
        let domain = name.hasPrefix(".") ? String(name.dropFirst()) : name
        return !domain.isEmpty && (host == domain || host.hasSuffix("." + domain))
    }
}
