import HTTPTypes
import JSON

/// The other origins whose web pages may use the API from a browser (Fetch Standard, 3.2).
public struct CORSPolicy: Sendable, Hashable {
    /// The allowed origins; nil: all.
    private let origins: Set<String>?

    /// Parses `*`, or origins separated by commas, or either in a JSON array as in vLLM; nil if the text is none of these.
    init?(_ text: String) {
        let list: [String]
        if text.hasPrefix("[") {
            guard let array = try? JSONValue(parsing: text).array else { return nil }
            list = array.compactMap(\.string)
            guard list.count == array.count else { return nil }
        } else {
            list = text.split(separator: ",").map { String($0.trimmingSpaces) }
        }
        if list == ["*"] {
            origins = nil
            return
        }
        guard !list.isEmpty, list.allSatisfy(Self.isOrigin) else { return nil }
        origins = Set(list)
    }

    /// The fields of every reply to a page of an allowed origin.
    func fields(for request: HTTPRequest) -> HTTPFields {
        var fields: HTTPFields = [:]
        // If replies depend on the origin, caches must know.
        if origins != nil { fields[.vary] = "Origin" }
        guard let origin = request.headerFields[.origin], allows(origin) else { return fields }
        fields[.accessControlAllowOrigin] = origins == nil ? "*" : origin
        fields[.accessControlExposeHeaders] =
            "x-request-id, x-ignored, retry-after, x-ratelimit-limit-requests, x-ratelimit-limit-tokens, "
            + "x-ratelimit-remaining-requests, x-ratelimit-remaining-tokens, x-ratelimit-reset-requests, "
            + "x-ratelimit-reset-tokens"
        return fields
    }

    /// The fields of the reply to a preflight request of a browser; nil if it is not one.
    func preflight(_ request: HTTPRequest, allowing methods: [HTTPRequest.Method]) -> HTTPFields? {
        guard request.method == .options, request.headerFields[.accessControlRequestMethod] != nil,
            let origin = request.headerFields[.origin], allows(origin)
        else { return nil }
        var fields = self.fields(for: request)
        fields[.accessControlExposeHeaders] = nil
        fields[.accessControlAllowMethods] = methods.map(\.rawValue).joined(separator: ", ")
        // Clients send their own fields (x-stainless-...), which are all harmless.
        if let asked = request.headerFields[.accessControlRequestHeaders] {
            fields[.accessControlAllowHeaders] = asked
        }
        fields[.accessControlMaxAge] = "600"
        return fields
    }

    /// Whether pages of `origin` may use the API.
    func allows(_ origin: String) -> Bool { origins?.contains(origin) ?? true }

    /// Whether the text is a scheme, `://` and a host, optionally with a port, without a path.
    private static func isOrigin(_ text: String) -> Bool {
        for scheme in ["https://", "http://"] where text.hasPrefix(scheme) {
            let host = text.dropFirst(scheme.count)
            return !host.isEmpty && !host.contains { $0 == "/" || $0 == "*" || $0.isWhitespace }
        }
        return false
    }
}

extension Substring {
    fileprivate var trimmingSpaces: String {
        var text = self
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
