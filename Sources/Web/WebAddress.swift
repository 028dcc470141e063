import Foundation

/// A parsed http or https URL.
public struct WebAddress: Sendable, Hashable, CustomStringConvertible {
    public let isSecure: Bool
    /// The host in lowercase. An IPv6 address has no brackets.
    public let host: String
    public let port: Int
    /// The request target: path and query, percent-encoded.
    public let target: String
    /// The decoded user and password, separated by a colon. Only those of proxies are used.
    package let user: String?

    /// Returns `nil` if `text` is not an http or https URL, or has characters that a request must not contain.
    public init?(_ text: String, relativeTo base: WebAddress? = nil) {
        guard let parts = URLComponents(string: text) else { return nil }
        let scheme = parts.scheme?.lowercased() ?? base.map { $0.isSecure ? "https" : "http" }
        guard scheme == "http" || scheme == "https" else { return nil }
        isSecure = scheme == "https"
        if let given = parts.host, !given.isEmpty {
            host = given.trimmingCharacters(in: ["[", "]"]).lowercased()
            port = parts.port ?? (scheme == "https" ? 443 : 80)
        } else {
            guard let base, parts.scheme == nil, parts.percentEncodedPath.hasPrefix("/") else { return nil }
            (host, port) = (base.host, base.port)
        }
        let path = parts.percentEncodedPath
        target = (path.isEmpty ? "/" : path) + (parts.percentEncodedQuery.map { "?" + $0 } ?? "")
        user = parts.user.map { $0 + ":" + (parts.password ?? "") }
        guard (1...65535).contains(port), (host + target).utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            return nil
        }
    }

    /// The host and the port. The port is omitted if it is the default of the scheme.
    public var authority: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return port == (isSecure ? 443 : 80) ? name : "\(name):\(port)"
    }

    public var description: String { "\(isSecure ? "https" : "http")://\(authority)\(target)" }

    /// The address without its query, which may contain a signature.
    public var withoutQuery: String { String(description.prefix { $0 != "?" }) }

    /// Returns whether the two addresses have the same origin, so that secrets for one may be sent to the other.
    func hasSameOrigin(as other: WebAddress) -> Bool {
        isSecure == other.isSecure && host == other.host && port == other.port
    }

    /// Percent-encodes `text` for use in a path. Slashes are kept only if `isPath` is true.
    public static func encode(_ text: String, isPath: Bool) -> String {
        var result = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
                UInt8(ascii: "~"):
                result.unicodeScalars.append(Unicode.Scalar(byte))
            case UInt8(ascii: "/") where isPath: result += "/"
            default: result += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return result
    }
}
