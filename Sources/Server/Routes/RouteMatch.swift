import Foundation

/// The route of a path.
///
/// Extra slashes, a missing `/v1` and a second `/v1` are accepted, because clients combine base URL and path in different ways.
/// All of these are unambiguous.
struct RouteMatch: Equatable, Sendable {
    let route: Route
    /// The value of the `{name}` at the end of the route's path, without percent encoding; empty for other routes.
    var argument = ""

    /// - Parameter path: the path without the query.
    /// - Returns: nil if no route has this path.
    init?(path: String) {
        // Most paths are normalized already.
        if let route = Self.fixed[path] {
            self.route = route
            return
        }
        let path = Self.normalized(path)
        if let route = Self.fixed[path] {
            self.route = route
            return
        }
        guard let (prefix, route) = Self.open.first(where: { path.hasPrefix($0.prefix) }),
            path.utf8.count > prefix.utf8.count,
            let argument = String(path.dropFirst(prefix.count)).removingPercentEncoding
        else { return nil }
        self.route = route
        self.argument = argument
    }

    /// Routes without a placeholder.
    private static let fixed = Dictionary(
        uniqueKeysWithValues: Route.allCases.filter { !$0.pattern.contains("{") }.map { ($0.pattern, $0) })

    /// Routes with a placeholder, and the path before it.
    private static let open: [(prefix: String, route: Route)] = Route.allCases.compactMap { route in
        route.pattern.firstIndex(of: "{").map { (prefix: String(route.pattern[..<$0]), route: route) }
    }

    /// The paths after `/v1` of the APIs of OpenAI and Anthropic.
    private static let versioned: Set<Substring> = [
        "completions", "chat", "responses", "messages", "models", "embeddings",
    ]

    /// Returns `path` without extra slashes, and with one `/v1` if it needs one.
    private static func normalized(_ path: String) -> String {
        var parts = path.split(separator: "/")
        if let first = parts.first, versioned.contains(first) { parts.insert("v1", at: 0) }
        if parts.starts(with: ["v1", "v1"]) { parts.removeFirst() }
        return "/" + parts.joined(separator: "/")
    }
}
