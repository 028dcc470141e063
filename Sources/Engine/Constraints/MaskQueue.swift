import Scheduling

/// The queue of mask computations. It implements the scheduling policy of ``MaskWorkers`` without threads or a clock.
///
/// - The tenant that was served least comes first. A tenant without requests accumulates no credit, and the slices that a tenant
///   received while workers were idle count against it only up to ``longestLead``.
/// - Among one tenant's requests, the one with the least work comes first (least attained service), so that an expensive grammar
///   delays no other. Work for earlier tokens of its sequence does not count, so that a long reply does not wait for newer ones.
/// - One slice out of ``agedSlices`` of a tenant goes to its oldest request, so that newer requests cannot starve it.
package struct MaskQueue {
    /// The id of a request. Ids increase with time.
    package typealias ID = UInt64

    private struct Entry {
        var tenant: String
        var units = 0
        var isRunning = false
    }

    /// The number of units of work in a slice, which takes 1 to 3 ms.
    package static let unitsPerSlice = 65536
    /// The maximum amount, in units, by which a tenant's counter may exceed that of the least served tenant with requests.
    package static let longestLead = 16 * unitsPerSlice
    /// One slice out of this many goes to the oldest request of a tenant.
    package static let agedSlices = 4

    private var entries: [ID: Entry] = [:]
    private var shares = FairShares(longestLead: longestLead)
    /// The number of slices so far of each tenant that has requests.
    private var slices: [String: Int] = [:]
    private var lastID: ID = 0

    package init() {}

    /// The number of open requests.
    package var count: Int { entries.count }

    /// Adds a request. O(tenants).
    package mutating func add(tenant: String) -> ID {
        lastID += 1
        entries[lastID] = Entry(tenant: tenant)
        shares.join(tenant)
        return lastID
    }

    /// Returns the request that gets the next slice. It counts as running until `ran` is called. O(requests), at most the number of
    /// running sequences.
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

    /// Records the end of a slice of a request. The request may have been removed in the meantime. O(tenants).
    package mutating func ran(_ id: ID, tenant: String, units: Int) {
        // A slice counts as at least one unit, so that a request whose slices do nothing does not always come first.
        let units = max(units, 1)
        entries[id]?.units += units
        entries[id]?.isRunning = false
        shares.charge(tenant, units)
    }

    /// Removes a request that was answered or dropped. O(tenants).
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
