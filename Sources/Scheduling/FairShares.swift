// Accounts for how much of a shared resource each tenant was served. Independent of sequences and jobs.

/// The amount that each tenant was served, so that the least served one comes next: a virtual token counter (Sheng et al.,
/// "Fairness in Serving Large Language Models", 2024).
///
/// A tenant without work accumulates no credit: when it returns, it starts with the amount of the least served of the others.
/// So the counters of tenants that always have work differ by at most the amount of one turn.
package struct FairShares<Amount: Comparable & AdditiveArithmetic & Sendable>: Sendable {
    private struct Share {
        /// Including the amount that was credited at the start.
        var served: Amount
        /// The number of its unfinished pieces of work.
        var works = 0
    }

    private var shares: [String: Share] = [:]
    /// The least amount of any tenant with work; it never decreases. Newcomers start with it.
    private var floor = Amount.zero
    private let longestLead: Amount?

    /// - Parameter longestLead: the maximum amount by which a tenant counts as served more than the least served one with work,
    ///   so that service it got while others had no work counts against it only up to this amount; `nil`: no maximum.
    package init(longestLead: Amount? = nil) {
        self.longestLead = longestLead
    }

    /// The number of known tenants.
    package var count: Int { shares.count }

    /// The amount that a tenant counts as served.
    package func served(_ tenant: String) -> Amount { shares[tenant]?.served ?? floor }

    /// Whether the tenant has work.
    package func hasWork(_ tenant: String) -> Bool { shares[tenant].map { $0.works > 0 } ?? false }

    /// Records new work of the tenant, such as a sequence. O(tenants).
    package mutating func join(_ tenant: String) {
        raiseFloor()
        var share = shares[tenant] ?? Share(served: floor)
        if share.works == 0 { share.served = max(share.served, floor) }
        share.works += 1
        shares[tenant] = share
    }

    /// Records the end of some work of the tenant. Tenants without work that would restart at the floor are dropped.
    /// O(tenants).
    package mutating func leave(_ tenant: String) {
        raiseFloor()
        guard var share = shares[tenant], share.works > 0 else { preconditionFailure("what has joined leaves once") }
        share.works -= 1
        shares[tenant] = share
        if share.works == 0 {
            raiseFloor()
            shares = shares.filter { $0.value.works > 0 || $0.value.served > floor }
        }
    }

    /// Records that the tenant was served. O(1), with a longest lead O(tenants).
    package mutating func charge(_ tenant: String, _ amount: Amount) {
        shares[tenant]?.served += amount
        guard let longestLead, let served = shares[tenant]?.served else { return }
        raiseFloor()
        shares[tenant]?.served = min(served, floor + longestLead)
    }

    private mutating func raiseFloor() {
        let least = shares.values.lazy.filter { $0.works > 0 }.map(\.served).min()
        floor = max(floor, least ?? .zero)
    }
}

/// The weighted tokens of sequences per tenant.
typealias TenantShares = FairShares<Int>

extension TenantShares {
    /// The weight of a token: a generated token needs a step, prompt tokens share one.
    static var promptWeight: Int { 1 }
    static var completionWeight: Int { 2 }
}
