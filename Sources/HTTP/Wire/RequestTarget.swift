import HTTPTypes

/// The request target in one of its four forms (RFC 9112, 3.2), split into path and, in the absolute form, authority.
struct RequestTarget {
    var path: String
    var scheme: String?
    var authority: String?

    init(_ target: ArraySlice<UInt8>, method: HTTPRequest.Method) throws(WireError) {
        // The authority form is used only by CONNECT, which is for proxies.
        guard method != .connect else { throw .unsupportedMethod }
        guard let first = target.first, target.allSatisfy(\.isTarget) else { throw .malformedTarget }
        if first == UInt8(ascii: "/") {
            path = String(decoding: target, as: UTF8.self)
        } else if target.elementsEqual("*".utf8) {
            guard method == .options else { throw .malformedTarget }
            path = "*"
        } else {
            self = try Self.absolute(target, method: method)
        }
    }

    private init(path: String, scheme: String, authority: String) {
        self.path = path
        self.scheme = scheme
        self.authority = authority
    }

    /// Parses `http://authority/path?query` (RFC 9112, 3.2.2). Its authority replaces that of the Host field.
    private static func absolute(
        _ target: ArraySlice<UInt8>, method: HTTPRequest.Method
    ) throws(WireError) -> RequestTarget {
        guard let colon = target.firstIndex(of: UInt8(ascii: ":")), target[colon...].starts(with: "://".utf8) else {
            throw .malformedTarget
        }
        let scheme: String
        if target[..<colon].isEqualIgnoringCase("http") {
            scheme = "http"
        } else if target[..<colon].isEqualIgnoringCase("https") {
            scheme = "https"
        } else {
            throw .malformedTarget
        }
        let rest = target[(colon + 3)...]
        let end = rest.firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") } ?? rest.endIndex
        let authority = rest[..<end]
        // An http URI has a host, and user information is refused (RFC 9110, 4.2.1 and 4.2.4).
        guard let first = authority.first, first != UInt8(ascii: ":"), isValidAuthority(authority) else {
            throw .malformedTarget
        }
        var path = String(decoding: rest[end...], as: UTF8.self)
        if !path.utf8.starts(with: "/".utf8) {
            path = path.isEmpty && method == .options ? "*" : "/" + path
        }
        return RequestTarget(path: path, scheme: scheme, authority: String(decoding: authority, as: UTF8.self))
    }

    /// Whether the bytes are a uri-host with an optional port (RFC 9110, 7.2). An empty one is valid in a Host field.
    static func isValidAuthority(_ authority: ArraySlice<UInt8>) -> Bool {
        var rest = authority
        if rest.first == UInt8(ascii: "[") {
            guard let close = rest.firstIndex(of: UInt8(ascii: "]")), close > rest.startIndex + 1 else { return false }
            let address = rest[(rest.startIndex + 1)..<close]
            guard address.allSatisfy({ $0.isHostName || $0 == UInt8(ascii: ":") }) else { return false }
            rest = rest[(close + 1)...]
        } else {
            rest = rest[(rest.firstIndex { !$0.isHostName } ?? rest.endIndex)...]
        }
        guard let colon = rest.first else { return true }
        return colon == UInt8(ascii: ":") && rest.dropFirst().allSatisfy(\.isDigit) && rest.count <= 6
    }
}
