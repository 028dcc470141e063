import HTTP
import HTTPTypes

/// A request that was admitted, with its route.
struct RoutedRequest {
    let exchange: ExchangeID
    let message: HTTPMessage
    let match: RouteMatch

    /// The path as received, without the query.
    var path: String { message.head.pathWithoutQuery }
}

extension HTTPRequest {
    /// Whether the client uses Anthropic's API.
    var isFromAnthropicClient: Bool {
        HTTPField.Name("anthropic-version").map { headerFields.contains($0) } ?? false
    }

    /// `/` if the request has none.
    var pathWithoutQuery: String {
        guard let path else { return "/" }
        // Searches the bytes, because searching characters takes longer.
        guard let end = path.utf8.firstIndex(of: UInt8(ascii: "?")) else { return path }
        return String(path[..<end])
    }
}
