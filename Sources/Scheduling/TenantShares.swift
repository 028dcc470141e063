// Who has had how much of the machine. Knows names and token counts, no sequence.

/// The tokens that each tenant was served, for whoever was served least to come next: a virtual token counter (Sheng et
/// al., "Fairness in Serving Large Language Models", 2024).
///
/// A tenant without sequences collects no claim for later: when it comes back it starts where the least served of the
/// others is. So among tenants that always have something waiting, no two counters drift apart by more than what one step
/// and one sequence can serve.
struct TenantShares: Sendable {
    /// What a token counts: one to be generated costs a step, prompt tokens share one.
    static let promptWeight = 1
    static let completionWeight = 2

    private struct Share {
        /// Weighted tokens, with what was credited at the start.
        var served: Int
        /// Waiting and running ones.
        var sequences = 0
    }

    private var shares: [String: Share] = [:]
    /// The least that an active tenant was served, never falling: where a newcomer starts.
    private var floor = 0

    /// Tenants that are remembered.
    var count: Int { shares.count }

    /// Weighted tokens of an active tenant.
    func served(_ tenant: String) -> Int { shares[tenant]?.served ?? floor }

    /// A sequence of the tenant arrives.
    mutating func join(_ tenant: String) {
        raiseFloor()
        var share = shares[tenant] ?? Share(served: floor)
        if share.sequences == 0 { share.served = max(share.served, floor) }
        share.sequences += 1
        shares[tenant] = share
    }

    /// A sequence of the tenant ends. Tenants without sequences that would come back at the floor are forgotten.
    mutating func leave(_ tenant: String) {
        raiseFloor()
        guard var share = shares[tenant] else { preconditionFailure("a sequence leaves once") }
        share.sequences -= 1
        shares[tenant] = share
        if share.sequences == 0 {
            raiseFloor()
            shares = shares.filter { $0.value.sequences > 0 || $0.value.served > floor }
        }
    }

    mutating func charge(_ tenant: String, _ weightedTokens: Int) {
        shares[tenant]?.served += weightedTokens
    }

    private mutating func raiseFloor() {
        let least = shares.values.lazy.filter { $0.sequences > 0 }.map(\.served).min()
        floor = max(floor, least ?? 0)
    }
}
