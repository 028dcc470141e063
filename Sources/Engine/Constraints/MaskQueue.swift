import Scheduling

/// Whose turn it is: the policy of ``MaskWorkers`` as a value, without threads or a clock.
///
/// - First comes the tenant that was served least. One without questions collects no claim for later, and what one got while
///   workers were idle is held against it for at most ``longestLead``.
/// - Of one tenant's questions the one that has had the least work comes first (least attained service), so that a grammar
///   that takes long holds no other up. What its sequence got for earlier tokens does not count: a long reply does not wait
///   behind newer ones.
/// - Every ``agedSlices``-th slice of a tenant is its oldest question's, so that newer ones do not hold it up for ever.
package struct MaskQueue {
    /// Names a question; greater for later ones.
    package typealias ID = UInt64

    private struct Entry {
        var tenant: String
        var units = 0
        var isRunning = false
    }

    /// Units of work in a slice: 1 to 3 ms.
    package static let unitsPerSlice = 65536
    /// The most that a tenant counts as served beyond the one with questions that was served least, in units.
    package static let longestLead = 16 * unitsPerSlice
    /// One slice in so many is the oldest question's.
    package static let agedSlices = 4

    private var entries: [ID: Entry] = [:]
    private var shares = FairShares(longestLead: longestLead)
    /// Slices of each tenant that has questions.
    private var slices: [String: Int] = [:]
    private var lastID: ID = 0

    package init() {}

    /// Questions that are open.
    package var count: Int { entries.count }

    /// Takes a question. O(tenants).
    package mutating func add(tenant: String) -> ID {
        lastID += 1
        entries[lastID] = Entry(tenant: tenant)
        shares.join(tenant)
        return lastID
    }

    /// The question that has the next slice; it runs until `ran`. O(questions), which are at most the running sequences.
    package mutating func next() -> ID? {
        guard let first = first(where: { precedes($0, $1) }), let tenant = entries[first]?.tenant else { return nil }
        slices[tenant, default: 0] += 1
        var chosen = first
        if slices[tenant]?.isMultiple(of: Self.agedSlices) == true {
            chosen = entries.lazy.filter { !$0.value.isRunning && $0.value.tenant == tenant }.map(\.key).min() ?? first
        }
        entries[chosen]?.isRunning = true
        return chosen
    }

    /// A slice of a question is over, which may have been removed meanwhile. O(tenants).
    package mutating func ran(_ id: ID, tenant: String, units: Int) {
        // At least one, so that one that does nothing is not always first.
        let units = max(units, 1)
        entries[id]?.units += units
        entries[id]?.isRunning = false
        shares.charge(tenant, units)
    }

    /// A question is answered or dropped. O(tenants).
    package mutating func remove(_ id: ID) {
        guard let entry = entries.removeValue(forKey: id) else { return }
        shares.leave(entry.tenant)
        if !shares.hasWork(entry.tenant) { slices[entry.tenant] = nil }
    }

    private func first(where precedes: (ID, ID) -> Bool) -> ID? {
        entries.lazy.filter { !$0.value.isRunning }.map(\.key).min(by: precedes)
    }

    private func precedes(_ left: ID, _ right: ID) -> Bool {
        guard let one = entries[left], let other = entries[right] else { return false }
        if one.tenant != other.tenant {
            let (first, second) = (shares.served(one.tenant), shares.served(other.tenant))
            if first != second { return first < second }
        }
        return one.units == other.units ? left < right : one.units < other.units
    }
}
