import Foundation

/// An http or https URL, taken apart.
public struct WebAddress: Sendable, Hashable, CustomStringConvertible {
    public let isSecure: Bool
    /// In lowercase; an IPv6 address has no brackets.
    public let host: String
    public let port: Int
    /// Path and query, percent-encoded: what a request asks for.
    public let target: String
    /// User and password, decoded; only proxies have them.
    let user: String?

    /// `nil` if `text` is not a URL of http or https, or has characters that a request must not contain.
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

    /// Host and port, the port only if it is not the scheme's.
    public var authority: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return port == (isSecure ? 443 : 80) ? name : "\(name):\(port)"
    }

    public var description: String { "\(isSecure ? "https" : "http")://\(authority)\(target)" }

    /// The address without its query, which may have a signature.
    public var withoutQuery: String { String(description.prefix { $0 != "?" }) }

    /// Whether secrets for one may be sent to the other.
    func hasSameOrigin(as other: WebAddress) -> Bool {
        isSecure == other.isSecure && host == other.host && port == other.port
    }

    /// Encodes `text` for a path; the slashes in it stay only if it is a path itself.
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
