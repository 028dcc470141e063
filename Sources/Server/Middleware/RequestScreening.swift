import Foundation
import HTTP
import HTTPTypes

/// What is refused by a request's head alone, before its body is read.
struct RequestScreening: Sendable {
    private let hosts: AllowedHosts?
    private let cors: CORSPolicy?
    private let keys: KeyRing

    init(_ configuration: ServerConfiguration, keys: KeyRing) {
        hosts = configuration.allowedHosts ?? (configuration.listensOnLoopbackOnly ? .loopback : nil)
        cors = configuration.cors
        self.keys = keys
    }

    /// Keeps web pages away from a server without API keys: the browser of somebody who reaches the server would send a page's
    /// requests for it. With keys it has none to send; probes change nothing and tell nothing.
    func originRefusal(of request: HTTPRequest, _ route: Route) -> APIError? {
        guard keys.isEmpty, !route.isProbe else { return nil }
        if let hosts, !hosts.allows(request.authority) { return .forbiddenHost(request.authority ?? "") }
        // Several Origin fields are joined to a value that is none.
        guard let origin = request.headerFields[.origin], !isOwn(origin, request), cors?.allows(origin) != true else {
            return nil
        }
        return .forbiddenOrigin(origin)
    }

    /// What is wrong with the form of the body; nil for routes that take none.
    func bodyRefusal(of request: HTTPRequest, _ route: Route) -> APIError? {
        guard route.methods.contains(.post) else { return nil }
        if let encoding = request.headerFields[.contentEncoding], ContentCoding.list(encoding) == nil {
            return .unsupportedContentEncoding(encoding)
        }
        guard let type = request.headerFields[.contentType] else {
            // Pages can send a body without a type, but no key (Fetch Standard, 4.8).
            return keys.key(in: request.headerFields) == nil ? .unsupportedMediaType(nil) : nil
        }
        return Self.isJSON(type) ? nil : .unsupportedMediaType(type)
    }

    /// Whether a page of this server sends it: its origin is the scheme and what the Host field has.
    private func isOwn(_ origin: String, _ request: HTTPRequest) -> Bool {
        guard let authority = request.authority, !authority.isEmpty else { return false }
        let origin = origin.lowercased()
        return ["http://", "https://"].contains { origin == $0 + authority.lowercased() }
    }

    /// Pages can send no such type to another origin without asking (Fetch Standard, 2.2.2).
    static func isJSON(_ type: String) -> Bool {
        let essence = type.prefix { $0 != ";" }.trimmingCharacters(in: .whitespaces).lowercased()
        return essence == "application/json" || (essence.hasPrefix("application/") && essence.hasSuffix("+json"))
    }
}
