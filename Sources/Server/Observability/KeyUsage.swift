/// The usage of each key. At most ``limit`` keys are counted separately, so that a long key file does not make scrapes large;
/// the others share one count.
struct KeyUsage: Sendable {
    struct Counts: Sendable {
        var requests: UInt64 = 0
        var promptTokens: UInt64 = 0
        var generationTokens: UInt64 = 0
    }

    private static let limit = 100
    /// The label of all other keys; the space cannot occur in a key's name.
    private static let others = "all others"

    private var usages: [String: Counts] = [:]

    mutating func add(_ usage: Counts, key: String) {
        guard key != RateLimiter.nobody else { return }
        let name = usages[key] != nil || usages.count < Self.limit ? key : Self.others
        usages[name, default: Counts()].requests += usage.requests
        usages[name, default: Counts()].promptTokens += usage.promptTokens
        usages[name, default: Counts()].generationTokens += usage.generationTokens
    }

    func write(to text: inout PrometheusText) {
        guard !usages.isEmpty else { return }
        let sorted = usages.sorted { $0.key < $1.key }
        func samples(_ count: (Counts) -> UInt64) -> [(labels: [(String, String)], value: Double)] {
            sorted.map { ([("key", $0.key)], Double(count($0.value))) }
        }
        text.counter("trinity_key_requests_total", "Number of accepted requests by API key.", samples(\.requests))
        text.counter(
            "trinity_key_prompt_tokens_total", "Prompt tokens of accepted requests by API key.", samples(\.promptTokens)
        )
        text.counter("trinity_key_generation_tokens_total", "Generated tokens by API key.", samples(\.generationTokens))
    }
}
