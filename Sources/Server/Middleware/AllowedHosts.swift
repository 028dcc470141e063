import HTTP

/// The accepted names in the Host field. They stop DNS rebinding: a web page that resolves its own name to this machine sends
/// that name.
public struct AllowedHosts: Sendable, Hashable {
    /// Only this machine's own names: localhost, 127.0.0.0/8 and ::1.
    static let loopback = AllowedHosts(names: [])

    /// Names in lower case in addition to the loopback names; nil: all.
    private let names: Set<String>?

    private init(names: Set<String>?) {
        self.names = names
    }

    /// Parses `*`, or names and addresses without ports, separated by commas; nil if the text is neither.
    init?(_ text: String) {
        if text == "*" {
            names = nil
            return
        }
        var names: Set<String> = []
        for name in text.split(separator: ",", omittingEmptySubsequences: false) {
            let words = name.split(separator: " ")
            guard words.count == 1, let name = words.first.map(String.init) else { return nil }
            guard Self.host(of: name) == Self.normalized(name) else { return nil }
            guard !name.contains(where: { "/*@".contains($0) }) else { return nil }
            names.insert(Self.normalized(name))
        }
        self.names = names
    }

    /// Whether a request to `authority`, a host with or without a port, is accepted. A missing host is accepted: browsers
    /// always send one.
    func allows(_ authority: String?) -> Bool {
        guard let names, let authority, !authority.isEmpty else { return true }
        let host = Self.host(of: authority)
        return host == "localhost" || ListeningAddress.isLoopback(host) || names.contains(host)
    }

    /// Returns the host of `host[:port]` in lower case, and an IPv6 address without its brackets.
    private static func host(of authority: String) -> String {
        guard authority.hasPrefix("["), let close = authority.firstIndex(of: "]") else {
            return normalized(String(authority.prefix { $0 != ":" }))
        }
        let rest = authority[close...].dropFirst()
        return normalized(rest.isEmpty || rest.hasPrefix(":") ? String(authority[...close]) : authority)
    }

    /// Returns the host without differences that comparisons ignore: case, brackets and a trailing dot.
    private static func normalized(_ host: String) -> String {
        var host = host.lowercased()
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        if host.hasSuffix(".") { host.removeLast() }
        return host
    }
}
