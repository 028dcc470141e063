// Orders waiting sequences. It uses ids, priorities and tenants, but no tokens.

import DequeModule

/// The queue of waiting sequences. Lower priority values come first, then the tenant that was served least, then the order of
/// arrival within a tenant.
struct WaitingQueue: Sendable {
    /// Sequences of one priority and tenant, in order of arrival.
    private struct Lane {
        let priority: Int
        let tenant: String
        var ids: Deque<SequenceID> = []
    }

    private var lanes: [Lane] = []
    private(set) var count = 0

    /// All waiting sequences, in no particular order.
    var ids: [SequenceID] { lanes.flatMap(\.ids) }

    /// Returns the number of sequences whose priority value is at most `priority`. O(lanes).
    func count(notAfter priority: Int) -> Int {
        lanes.reduce(0) { $0 + ($1.priority <= priority ? $1.ids.count : 0) }
    }

    /// Inserts a sequence. O(lanes), or more if it becomes neither the first nor the last of its lane.
    mutating func insert(_ id: SequenceID, _ parameters: SchedulingParameters) {
        let index = index(of: parameters) ?? lanes.endIndex
        if index == lanes.endIndex { lanes.append(Lane(priority: parameters.priority, tenant: parameters.tenant)) }
        let position =
            lanes[index].ids.last.map { $0 < id } ?? true
            ? lanes[index].ids.endIndex : lanes[index].ids.firstIndex { $0 > id } ?? lanes[index].ids.endIndex
        lanes[index].ids.insert(id, at: position)
        count += 1
    }

    /// Removes a waiting sequence. O(lanes + length of the lane).
    mutating func remove(_ id: SequenceID, _ parameters: SchedulingParameters) {
        guard let index = index(of: parameters), let position = lanes[index].ids.firstIndex(of: id) else {
            preconditionFailure("\(id) does not wait")
        }
        lanes[index].ids.remove(at: position)
        if lanes[index].ids.isEmpty { lanes.remove(at: index) }
        count -= 1
    }

    /// Returns the first `limit` sequences, in order, that are not `deferred`. O(lanes * log(lanes) + limit + deferred).
    func prefix(_ limit: Int, _ shares: TenantShares, deferred: Set<SequenceID> = []) -> [SequenceID] {
        guard limit > 0, count > 0 else { return [] }
        var first: [SequenceID] = []
        for lane in lanes.sorted(by: { order($0, shares) < order($1, shares) }) {
            first += lane.ids.lazy.filter { !deferred.contains($0) }.prefix(limit - first.count)
            if first.count == limit { break }
        }
        return first
    }

    private func order(_ lane: Lane, _ shares: TenantShares) -> (Int, Int, SequenceID) {
        guard let first = lane.ids.first else { preconditionFailure("an empty lane is removed") }
        return (lane.priority, shares.served(lane.tenant), first)
    }

    private func index(of parameters: SchedulingParameters) -> Int? {
        lanes.firstIndex { $0.priority == parameters.priority && $0.tenant == parameters.tenant }
    }
}
