// Counts how much of a shared resource each tenant was served. It does not know about sequences or jobs.

/// The amount that each tenant was served, used to serve the least served tenant next: the virtual token counter of Sheng et al.,
/// "Fairness in Serving Large Language Models", 2024.
///
/// A tenant without work accumulates no credit: when it returns, it starts with the amount of the least served tenant. The counters
/// of tenants that always have work therefore differ by at most the amount of one turn.
package struct FairShares<Amount: Comparable & AdditiveArithmetic & Sendable>: Sendable {
    private struct Share {
        /// The amount served, including the amount credited at the start.
        var served: Amount
        /// The number of unfinished pieces of work.
        var works = 0
    }

    private var shares: [String: Share] = [:]
    /// The smallest amount of any tenant with work. It never decreases. New tenants start with it.
    private var floor = Amount.zero
    private let longestLead: Amount?

    /// - Parameter longestLead: The maximum amount by which a tenant's counter may exceed that of the least served tenant with
    ///   work, or `nil` for no maximum. Service that a tenant received while others had no work counts against it only up to this
    ///   amount.
    package init(longestLead: Amount? = nil) {
        self.longestLead = longestLead
    }

    /// The number of known tenants.
    package var count: Int { shares.count }

    /// Returns the tenant's counter, or the starting amount if the tenant is unknown.
    package func served(_ tenant: String) -> Amount { shares[tenant]?.served ?? floor }

    /// Returns whether the tenant has work.
    package func hasWork(_ tenant: String) -> Bool { shares[tenant].map { $0.works > 0 } ?? false }

    /// Records a new piece of work of the tenant, such as a sequence. O(tenants).
    package mutating func join(_ tenant: String) {
        raiseFloor()
        var share = shares[tenant] ?? Share(served: floor)
        if share.works == 0 { share.served = max(share.served, floor) }
        share.works += 1
        shares[tenant] = share
    }

    /// Records the end of a piece of work of the tenant. Tenants without work that would restart at the floor are removed.
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

    /// Adds `amount` to the tenant's counter. O(1), or O(tenants) if there is a longest lead.
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

/// The weighted number of tokens of each tenant's sequences.
typealias TenantShares = FairShares<Int>

extension TenantShares {
    /// The weights of tokens. A generated token weighs more because it needs a step of its own, while prompt tokens share one.
    static var promptWeight: Int { 1 }
    static var completionWeight: Int { 2 }
}
