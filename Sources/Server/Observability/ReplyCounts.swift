import HTTPTypes

/// Counts replies by route, method and class of status, under the names that vLLM's server uses. Probes and scrapes are not
/// counted, as in vLLM.
struct ReplyCounts: Sendable {
    private struct Kind: Hashable {
        var handler: String
        var method: String
        /// The status class, such as `2xx`.
        var status: String
    }

    private static let methods: Set = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

    private var counts: [Kind: UInt64] = [:]

    /// - Parameter route: the route of the request; nil if there is none.
    mutating func add(route: Route?, method: String, status: Int) {
        guard route?.isProbe != true else { return }
        let kind = Kind(
            handler: route?.pattern ?? "none", method: Self.methods.contains(method) ? method : "other",
            status: "\(status / 100)xx")
        counts[kind, default: 0] += 1
    }

    func write(to text: inout PrometheusText) {
        let sorted = counts.sorted {
            ($0.key.handler, $0.key.method, $0.key.status) < ($1.key.handler, $1.key.method, $1.key.status)
        }
        text.counter(
            "http_requests_total", "Number of replies by route, method and status class.",
            sorted.map { kind, count in
                ([("handler", kind.handler), ("method", kind.method), ("status", kind.status)], Double(count))
            })
    }
}
