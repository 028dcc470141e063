import Scheduling

/// The order of preparation jobs: the policy of ``PreparationExecutor`` as a value, without threads or a clock.
///
/// - The tenant that was served least comes first. A tenant without jobs accumulates no credit, and time that a tenant got
///   while CPUs were idle counts against it only up to ``longestLead``.
/// - Of one tenant's jobs, the one that has run for the shortest time comes first (least attained service), so the jobs of one
///   connection do not delay those of another.
/// - One part in ``agedParts`` of a tenant's time goes to its oldest job that has begun, so a stream of small jobs does not
///   starve a large one.
struct PreparationQueue {
    /// Identifies a job; ids increase with time.
    typealias ID = UInt64

    enum Phase {
        /// Has not begun.
        case waiting
        case running
        /// Has begun, and is paused until its turn.
        case paused
    }

    /// One out of this many parts of a tenant's time goes to its oldest job.
    static let agedParts = 4
    /// The time that other jobs of a tenant run before its oldest one gets a slice.
    private static let agedTurn = PreparationJob.slice * (agedParts - 1)

    private struct Entry {
        var tenant: String
        var phase = Phase.waiting
        /// The time that it has run.
        var attained = Duration.zero
        /// The start of its slice.
        var sliceStart = ContinuousClock.now
    }

    /// The oldest job of a tenant that has begun.
    private struct Oldest {
        var id: ID
        /// How much longer than their share the other jobs have run; from ``agedTurn`` on, the oldest job comes first.
        var owed = Duration.zero
    }

    /// The maximum amount by which a tenant counts as served more than the least served one with jobs.
    static let longestLead = Duration.milliseconds(100)

    private let concurrency: Int
    private var entries: [ID: Entry] = [:]
    private var shares = FairShares(longestLead: longestLead)
    private var oldest: [String: Oldest] = [:]
    private(set) var running = 0
    private var lastID: ID = 0

    /// - Parameter concurrency: the maximum number of running jobs.
    init(concurrency: Int) {
        self.concurrency = max(1, concurrency)
    }

    /// The number of unfinished jobs.
    var count: Int { entries.count }

    mutating func add(tenant: String) -> ID {
        lastID += 1
        entries[lastID] = Entry(tenant: tenant)
        shares.join(tenant)
        return lastID
    }

    /// Starts the first job in the queue, if there is room; returns it, and whether it had begun already. O(jobs).
    mutating func next(now: ContinuousClock.Instant) -> (id: ID, hasBegun: Bool)? {
        guard running < concurrency, let id = first, let phase = entries[id]?.phase else { return nil }
        run(id, now)
        return (id, phase == .paused)
    }

    /// Pauses a running job if another one comes before it. O(jobs).
    mutating func yield(_ id: ID, now: ContinuousClock.Instant) -> Bool {
        charge(id, now)
        guard let first, precedes(first, id) else { return false }
        entries[id]?.phase = .paused
        running -= 1
        return true
    }

    /// Cancels a job. One that has not begun is removed; one that is paused runs at once, only to stop. Returns its phase;
    /// `nil` if it does not exist any more.
    mutating func cancel(_ id: ID, now: ContinuousClock.Instant) -> Phase? {
        guard let phase = entries[id]?.phase else { return nil }
        switch phase {
        case .running: break
        case .paused: run(id, now)
        case .waiting: remove(id)
        }
        return phase
    }

    /// Records the end of a running job.
    mutating func end(_ id: ID, now: ContinuousClock.Instant) {
        charge(id, now)
        remove(id)
        running -= 1
    }

    private mutating func run(_ id: ID, _ now: ContinuousClock.Instant) {
        running += 1
        entries[id]?.phase = .running
        entries[id]?.sliceStart = now
        // The jobs of a tenant begin in the order of their ids.
        guard let tenant = entries[id]?.tenant, oldest[tenant] == nil else { return }
        oldest[tenant] = Oldest(id: id)
    }

    private mutating func charge(_ id: ID, _ now: ContinuousClock.Instant) {
        guard var entry = entries[id] else { return }
        let time = max(.zero, now - entry.sliceStart)
        entry.attained += time
        entry.sliceStart = now
        entries[id] = entry
        shares.charge(entry.tenant, time)
        guard var aged = oldest[entry.tenant] else { return }
        if aged.id == id {
            // While it runs because there is nothing else to run, it accumulates no debt.
            aged.owed = max(.zero - Self.agedTurn, aged.owed - time * (Self.agedParts - 1))
        } else {
            // Limited even after a very long slice, for instance if the machine slept.
            aged.owed = min(Self.longestLead, aged.owed + time)
        }
        oldest[entry.tenant] = aged
    }

    private mutating func remove(_ id: ID) {
        guard let entry = entries.removeValue(forKey: id) else { return }
        shares.leave(entry.tenant)
        guard oldest[entry.tenant]?.id == id else { return }
        let next = entries.filter { $0.value.tenant == entry.tenant && $0.value.phase != .waiting }.keys.min()
        oldest[entry.tenant] = next.map { Oldest(id: $0) }
    }

    /// The first job in the queue that is not running.
    private var first: ID? {
        var first: ID?
        for (id, entry) in entries where entry.phase != .running {
            if first.map({ precedes(id, $0) }) ?? true { first = id }
        }
        return first
    }

    private func precedes(_ left: ID, _ right: ID) -> Bool {
        guard let one = entries[left], let other = entries[right] else { return false }
        if one.tenant != other.tenant {
            let (first, second) = (shares.served(one.tenant), shares.served(other.tenant))
            // By name if both are equal: with any property of the jobs, the order would not be transitive for aged jobs.
            return first == second ? one.tenant < other.tenant : first < second
        } else if let aged = oldest[one.tenant], aged.owed >= Self.agedTurn {
            if aged.id == left { return true }
            if aged.id == right { return false }
        }
        return one.attained == other.attained ? left < right : one.attained < other.attained
    }
}
