/// The number of times that each parameter was ignored. Clients choose the names, so at most ``limit`` of them are counted
/// separately; the others share one count.
struct IgnoredParameterCounts: Sendable {
    private static let limit = 100
    /// The label of all other names; the space cannot occur in a parameter's name.
    private static let others = "all others"

    private var counts: [String: UInt64] = [:]

    /// - Returns: whether the name is new and is counted separately.
    mutating func add(_ name: String) -> Bool {
        let isNew = counts[name] == nil && counts.count < Self.limit
        counts[isNew || counts[name] != nil ? name : Self.others, default: 0] += 1
        return isNew
    }

    func write(to text: inout PrometheusText) {
        guard !counts.isEmpty else { return }
        text.counter(
            "trinity_ignored_parameters_total", "Number of request parameters that were ignored, by name.",
            counts.sorted { $0.key < $1.key }.map { ([("parameter", $0.key)], Double($0.value)) })
    }
}
