import Engine
import HTTP
import Scheduling

/// Decides which requests are accepted. It uses counts, never a request's text. Owned by the event loop.
///
/// *Permits* limit the accepted work: a request has one while it is prepared, and then one for each of its sequences until the
/// sequence ends.
///
/// Permits and queued tokens are shared between API keys by a ``DynamicThreshold``: one busy key gets 3/4 of the permits, two
/// get 3/7 each, and some always remain for another key. A key without queued tokens may queue one prompt of any length.
/// Requests without a key are one tenant without that limit.
package struct AdmissionController {
    /// Why a request is refused.
    package enum Refusal: Sendable, CaseIterable {
        /// All permits are taken.
        case permits
        /// The key has reached its share of the permits or of the queued tokens.
        case share
        /// Too many prompt tokens are queued.
        case tokens
        /// The estimated wait exceeds the bound, or the request's timeout. Without a bound no request is refused because of the
        /// estimate.
        case wait
        /// The memory for bodies, prompts and replies is used up, or the key's share of it.
        case memory
        /// The system refuses to create a thread for the preparation.
        case threads
    }

    private struct Sequence {
        var tenant: String
        var promptTokens: Int
        /// Whether another choice of the same prompt computes the prompt.
        var isSibling: Bool
        var priority: Int
        var isAdmitted = false
        var hasToken = false
    }

    private struct Tenant {
        var preparing = 0
        var sequences = 0
        var permits: Int { preparing + sequences }
    }

    /// How permits and queued tokens are shared between keys.
    private static let threshold = DynamicThreshold(factor: 3)

    /// The number of permits.
    let capacity: Int
    /// The maximum number of running sequences.
    private let runningCapacity: Int
    private let bounds: QueueBounds
    private var tenants: [String: Tenant] = [:]
    private var sequences: [SequenceID: Sequence] = [:]
    /// Requests in preparation.
    private(set) var preparing = 0
    /// Sequences that the scheduler has started.
    private(set) var running = 0

    /// - Parameters:
    ///   - running: the maximum number of running sequences.
    ///   - waiting: the maximum number of sequences that wait in addition.
    init(running: Int, waiting: Int, bounds: QueueBounds) {
        capacity = running + waiting
        runningCapacity = running
        self.bounds = bounds
    }

    /// Requests in preparation and sequences that have not started.
    var waiting: Int { preparing + sequences.count - running }
    var isIdle: Bool { preparing == 0 && sequences.isEmpty }

    private var freePermits: Int { capacity - preparing - sequences.count }

    /// The maximum number of sequences in one request of a tenant.
    func largestRequest(of tenant: String) -> Int {
        tenant == RateLimiter.nobody ? capacity : max(1, Self.threshold.share(of: capacity))
    }

    /// The maximum number of tokens in a batch of several prompts of a tenant; `nil`: no maximum.
    func largestBatch(of tenant: String) -> Int? {
        tenant == RateLimiter.nobody ? nil : bounds.tokens.map { Self.threshold.share(of: $0) }
    }

    /// Takes a permit for the preparation of a request, or returns the reason for refusal. O(1).
    mutating func beginPreparation(of tenant: String) -> Refusal? {
        if let refusal = refusal(of: tenant, permits: 1) { return refusal }
        tenants[tenant, default: Tenant()].preparing += 1
        preparing += 1
        return nil
    }

    /// Counts a complete reply whose body is being written. It takes a permit even if none is free: the reply's sequences have
    /// just returned theirs.
    mutating func beginRendering(of tenant: String) {
        tenants[tenant, default: Tenant()].preparing += 1
        preparing += 1
    }

    /// Returns the permit of a request whose preparation has ended.
    mutating func endPreparation(of tenant: String) {
        precondition(tenants[tenant]?.preparing ?? 0 > 0, "a preparation ends once")
        change(tenant) { $0.preparing -= 1 }
        preparing -= 1
    }

    /// Returns the reason to refuse a prepared request, or `nil` if it can be accepted now. O(sequences).
    ///
    /// - Parameters:
    ///   - prompts: the length of each of its prompts in tokens, (prompts).
    ///   - remaining: the time that remains until its timeout.
    func refusal(
        of tenant: String, prompts: [Int], choices: Int, priority: Int, within remaining: Duration?,
        _ statistics: SchedulerStatistics
    ) -> Refusal? {
        if let refusal = refusal(of: tenant, permits: prompts.count * choices) { return refusal }
        if let limit = bounds.tokens {
            let queued = load(ahead: .max, priority: .max)
            let own = queued[tenant]?.tokens ?? 0
            let left = limit - queued.values.reduce(0) { $0 + $1.tokens } - prompts.reduce(0, +)
            if tenant == RateLimiter.nobody {
                if !queued.isEmpty, left < 0 { return .tokens }
            } else if own > 0 || prompts.count > 1 {
                if left < 0 { return .tokens }
                if !Self.threshold.allows(held: own + prompts.reduce(0, +), left: left) { return .share }
            }
        }
        guard let bound = bounds.wait else { return nil }
        let longest = min(bound, remaining ?? bound)
        let wait = wait(of: tenant, promptTokens: prompts.max() ?? 0, priority: priority, statistics)
        return wait > longest ? .wait : nil
    }

    /// The time in seconds after which about half of the queue has been served. O(sequences).
    func retryAfter(_ statistics: SchedulerStatistics) -> Int {
        let load = load(ahead: .max, priority: .max).values.reduce(into: QueueLoad()) { $0 += $1 }
        let wait = statistics.wait(behind: load, maxRunning: runningCapacity)
        return Int(saturating: (min(wait, .seconds(240)) / .seconds(2)).rounded(.up))
    }

    /// Adds the sequences of an accepted request.
    mutating func add(_ requests: [GenerationRequest]) {
        for request in requests {
            sequences[request.id] = Sequence(
                tenant: request.tenant, promptTokens: request.promptIDs.count,
                isSibling: request.sampling.choice > 0, priority: request.priority)
            tenants[request.tenant, default: Tenant()].sequences += 1
        }
    }

    /// Updates a sequence: it no longer waits, or it has ended and returns its permit. O(1).
    mutating func record(_ event: TokenEvent) {
        guard var sequence = sequences[event.sequence] else { return }
        if event.admitted != nil, !sequence.isAdmitted {
            sequence.isAdmitted = true
            running += 1
        }
        if !event.tokens.isEmpty { sequence.hasToken = true }
        sequences[event.sequence] = sequence
        guard event.finish != nil else { return }
        sequences[event.sequence] = nil
        if sequence.isAdmitted { running -= 1 }
        change(sequence.tenant) { $0.sequences -= 1 }
    }

    /// The number of permits of each tenant that has any.
    var permits: [String: Int] { tenants.mapValues(\.permits) }

    private mutating func change(_ tenant: String, _ change: (inout Tenant) -> Void) {
        guard var entry = tenants[tenant] else { preconditionFailure("a tenant with permits is known") }
        change(&entry)
        tenants[tenant] = entry.permits > 0 ? entry : nil
    }

    private func refusal(of tenant: String, permits count: Int) -> Refusal? {
        let left = freePermits - count
        guard left >= 0 else { return .permits }
        guard tenant != RateLimiter.nobody else { return nil }
        let held = tenants[tenant]?.permits ?? 0
        // A key without permits always gets a free one.
        if held == 0, count == 1 { return nil }
        return Self.threshold.allows(held: held + count, left: left) ? nil : .share
    }

    /// Returns the estimated time until a prompt's first step. The queue of another key counts at most as much as the queue of the
    /// request's own key with this prompt, because the scheduler alternates between keys.
    private func wait(
        of tenant: String, promptTokens: Int, priority: Int, _ statistics: SchedulerStatistics
    ) -> Duration {
        let loads = load(ahead: promptTokens, priority: priority)
        let own = loads[tenant] ?? QueueLoad()
        var ahead = own
        for (name, load) in loads where name != tenant {
            ahead.tokens += min(load.tokens, own.tokens + promptTokens)
            ahead.sequences += min(load.sequences, own.sequences + 1)
        }
        return statistics.wait(behind: ahead, maxRunning: runningCapacity)
    }

    /// Returns the load of each tenant that would be served before a prompt of `promptTokens` tokens. A longer prompt counts as at
    /// most `promptTokens` tokens, because the shorter prompt overtakes it.
    private func load(ahead promptTokens: Int, priority: Int) -> [String: QueueLoad] {
        var loads: [String: QueueLoad] = [:]
        for sequence in sequences.values where !sequence.hasToken && sequence.priority <= priority {
            var load = loads[sequence.tenant] ?? QueueLoad()
            if !sequence.isSibling { load.tokens += min(sequence.promptTokens, promptTokens) }
            if !sequence.isAdmitted { load.sequences += 1 }
            loads[sequence.tenant] = load
        }
        return loads
    }
}

extension AdmissionController.Refusal {
    /// The name in metrics.
    var label: String {
        switch self {
        case .permits: "max_num_queued_reqs"
        case .share: "key_share"
        case .tokens: "max_num_queued_tokens"
        case .wait: "max_queue_wait"
        case .memory: "request_memory"
        case .threads: "threads"
        }
    }
}

extension QueueLoad {
    fileprivate static func += (left: inout QueueLoad, right: QueueLoad) {
        left.tokens += right.tokens
        left.sequences += right.sequences
    }
}
