// Who has had how much of what is shared. Knows names and amounts, no sequence and no job.

/// What each tenant was served, for whoever was served least to come next: a virtual token counter (Sheng et al., "Fairness
/// in Serving Large Language Models", 2024).
///
/// A tenant without work collects no claim for later: when it comes back it starts where the least served of the others is.
/// So among tenants that always have something waiting, no two counters drift apart by more than what one turn serves.
package struct FairShares<Amount: Comparable & AdditiveArithmetic & Sendable>: Sendable {
    private struct Share {
        /// With what was credited at the start.
        var served: Amount
        /// What of its work has not ended.
        var works = 0
    }

    private var shares: [String: Share] = [:]
    /// The least that a tenant with work was served, never falling: where a newcomer starts.
    private var floor = Amount.zero
    private let longestLead: Amount?

    /// - Parameter longestLead: the most that a tenant counts as served beyond the least served one with work, so that what it got
    ///   while others wanted nothing is held against it for so much only; `nil`: any amount.
    package init(longestLead: Amount? = nil) {
        self.longestLead = longestLead
    }

    /// Tenants that are remembered.
    package var count: Int { shares.count }

    /// What a tenant counts as served.
    package func served(_ tenant: String) -> Amount { shares[tenant]?.served ?? floor }

    /// Whether the tenant has work.
    package func hasWork(_ tenant: String) -> Bool { shares[tenant].map { $0.works > 0 } ?? false }

    /// Some work of the tenant arrives, such as a sequence. O(tenants).
    package mutating func join(_ tenant: String) {
        raiseFloor()
        var share = shares[tenant] ?? Share(served: floor)
        if share.works == 0 { share.served = max(share.served, floor) }
        share.works += 1
        shares[tenant] = share
    }

    /// Some work of the tenant ends. Tenants without work that would come back at the floor are forgotten. O(tenants).
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

    /// The tenant was served. O(1), with a longest lead O(tenants).
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

/// Weighted tokens of the tenants of sequences.
typealias TenantShares = FairShares<Int>

extension TenantShares {
    /// What a token counts: one to be generated costs a step, prompt tokens share one.
    static var promptWeight: Int { 1 }
    static var completionWeight: Int { 2 }
}
