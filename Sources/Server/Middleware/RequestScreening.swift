import Foundation
import HTTP
import HTTPTypes

/// Checks of a request's head before its body is read.
struct RequestScreening: Sendable {
    private let hosts: AllowedHosts?
    private let cors: CORSPolicy?
    private let keys: KeyRing

    init(_ configuration: ServerConfiguration, keys: KeyRing) {
        hosts = configuration.allowedHosts ?? (configuration.listensOnLoopbackOnly ? .loopback : nil)
        cors = configuration.cors
        self.keys = keys
    }

    /// Returns the refusal of a request from a web page of another origin, on a server without API keys. Otherwise the browser of
    /// any user who can reach the server would send a page's requests to it. With keys, the browser has no credentials to send.
    /// Probes are allowed: they change nothing and contain nothing secret.
    func originRefusal(of request: HTTPRequest, _ route: Route) -> APIError? {
        guard keys.isEmpty, !route.isProbe else { return nil }
        if let hosts, !hosts.allows(request.authority) { return .forbiddenHost(request.authority ?? "") }
        // Several Origin fields are joined to an invalid value.
        guard let origin = request.headerFields[.origin], !isOwn(origin, request), cors?.allows(origin) != true else {
            return nil
        }
        return .forbiddenOrigin(origin)
    }

    /// Returns the refusal of the body's encoding or media type; nil if there is none, or if the route takes no body.
    func bodyRefusal(of request: HTTPRequest, _ route: Route) -> APIError? {
        guard route.methods.contains(.post) else { return nil }
        if let encoding = request.headerFields[.contentEncoding], ContentCoding.list(encoding) == nil {
            return .unsupportedContentEncoding(encoding)
        }
        guard let type = request.headerFields[.contentType] else {
            // Pages can send a body without a type, but not a key (Fetch Standard, 4.8).
            return keys.key(in: request.headerFields) == nil ? .unsupportedMediaType(nil) : nil
        }
        return Self.isJSON(type) ? nil : .unsupportedMediaType(type)
    }

    /// Whether a page of this server sent the request: its origin equals the scheme and the Host field.
    private func isOwn(_ origin: String, _ request: HTTPRequest) -> Bool {
        guard let authority = request.authority, !authority.isEmpty else { return false }
        let origin = origin.lowercased()
        return ["http://", "https://"].contains { origin == $0 + authority.lowercased() }
    }

    /// Whether the media type is JSON. Pages cannot send this type to another origin without a preflight request (Fetch Standard,
    /// 2.2.2).
    static func isJSON(_ type: String) -> Bool {
        let essence = type.prefix { $0 != ";" }.trimmingCharacters(in: .whitespaces).lowercased()
        return essence == "application/json" || (essence.hasPrefix("application/") && essence.hasSuffix("+json"))
    }
}
