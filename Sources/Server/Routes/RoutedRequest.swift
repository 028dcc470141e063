import HTTP
import HTTPTypes

/// A request that is let in, on its way to what answers it.
struct RoutedRequest {
    let exchange: ExchangeID
    let message: HTTPMessage
    let match: RouteMatch

    /// The path as it came, without a query.
    var path: String { message.head.pathWithoutQuery }

    /// Whether the client is one of Anthropic's API, which has its own form of models under the same path.
    var isAnthropic: Bool {
        HTTPField.Name("anthropic-version").map { message.head.headerFields.contains($0) } ?? false
    }
}

extension HTTPRequest {
    /// `/` if the request has none.
    var pathWithoutQuery: String { String((path ?? "/").prefix { $0 != "?" }) }
}
