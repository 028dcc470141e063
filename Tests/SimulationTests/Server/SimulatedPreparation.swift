@testable import HTTP
@testable import Server

/// Preparation on virtual CPUs: the real queue and the real work, with scripted times.
struct SimulatedPreparation {
    private struct Job {
        var exchange: ExchangeID
        var preparation: Preparation
        var deadline: ContinuousClock.Instant
        /// The remaining CPU time.
        var left: Duration
        var isCancelled = false
        /// Created with the first slice.
        var result: Result<Preparation.Outcome, APIError>?
        let cost: Duration
        /// CPU time of other jobs since its arrival: of its own tenant, and of others.
        var ownTime = Duration.zero
        var othersTime = Duration.zero
        /// Jobs that existed at the same time.
        var met = 0
        /// Whether the clock has jumped in the meantime.
        var hasJumped = false

        var isSmall: Bool { cost <= .milliseconds(2) }
    }

    /// The result of a slice.
    enum Outcome {
        /// The request's own deadline became known.
        case deadlineKnown(ExchangeID, ContinuousClock.Instant)
        case prepared(ExchangeID, Result<Preparation.Outcome, APIError>)
    }

    private(set) var queue: PreparationQueue
    private var jobs: [PreparationQueue.ID: Job] = [:]
    private var ids: [ExchangeID: PreparationQueue.ID] = [:]

    init(concurrency: Int) {
        self.concurrency = concurrency
        queue = PreparationQueue(concurrency: concurrency)
    }

    /// Violated properties.
    private(set) var violation: String?
    private var tenants: Set<String> = []
    private let concurrency: Int

    var isIdle: Bool { jobs.isEmpty }
    /// The minimum charge of the bodies in preparation.
    var heldBytes: Int {
        jobs.values.reduce(0) { sum, job in
            switch job.preparation.work {
            case .generation(_, let body), .text(_, let body): sum + max(0, body.bytes.count - BodyBuffer.freeBytes)
            case .rendering: sum
            }
        }
    }

    mutating func submit(
        _ exchange: ExchangeID, _ preparation: Preparation, cost: Duration, deadline: ContinuousClock.Instant
    ) {
        let id = queue.add(tenant: preparation.tenant)
        for other in jobs.keys { jobs[other]?.met += 1 }
        jobs[id] = Job(
            exchange: exchange, preparation: preparation, deadline: deadline, left: cost, cost: cost, met: jobs.count)
        tenants.insert(preparation.tenant)
        ids[exchange] = id
    }

    /// Returns the immediate result, and the job if it continues only to stop.
    mutating func cancel(
        _ exchange: ExchangeID, now: ContinuousClock.Instant
    ) -> (outcome: Outcome?, resumed: PreparationQueue.ID?) {
        guard let id = ids[exchange], jobs[id] != nil else { return (nil, nil) }
        jobs[id]?.isCancelled = true
        switch queue.cancel(id, now: now) {
        case .waiting: return (finish(id, .failure(.aborted)), nil)
        case .paused: return (nil, id)
        case .running, nil: return (nil, nil)
        }
    }

    /// Starts jobs on free CPUs; returns each job with the length of its first slice.
    mutating func start(now: ContinuousClock.Instant) -> [(id: PreparationQueue.ID, slice: Duration)] {
        var started: [(PreparationQueue.ID, Duration)] = []
        while let next = queue.next(now: now) { started.append((next.id, slice(of: next.id))) }
        return started
    }

    /// Ends the slice of a running job. Returns its result, and the length of its next slice if it continues.
    mutating func sliceEnded(
        _ id: PreparationQueue.ID, now: ContinuousClock.Instant
    ) -> (outcomes: [Outcome], next: Duration?) {
        guard var job = jobs[id] else { return ([], nil) }
        if job.isCancelled || job.deadline <= now {
            queue.end(id, now: now)
            return ([finish(id, .failure(job.isCancelled ? .aborted : .deadlineExceeded))].compactMap(\.self), nil)
        }
        job.left -= slice(of: id)
        count(slice(of: id), of: id, tenant: job.preparation.tenant)
        var outcomes: [Outcome] = []
        let result =
            job.result
            ?? job.preparation.run { deadline in
                outcomes.append(.deadlineKnown(job.exchange, deadline))
                job.deadline = min(job.deadline, deadline)
            }
        job.result = result
        jobs[id] = job
        guard job.left <= .zero else {
            return (outcomes, queue.yield(id, now: now) ? nil : slice(of: id))
        }
        queue.end(id, now: now)
        check(job)
        return (outcomes + [finish(id, result)].compactMap(\.self), nil)
    }

    mutating func clockJumped() {
        for id in jobs.keys { jobs[id]?.hasJumped = true }
    }

    private mutating func count(_ time: Duration, of id: PreparationQueue.ID, tenant: String) {
        for (other, job) in jobs where other != id && job.isSmall {
            if job.preparation.tenant == tenant {
                jobs[other]?.ownTime += time
            } else {
                jobs[other]?.othersTime += time
            }
        }
    }

    /// A small job waits for a few slices of each job of its own tenant, and for other tenants only as long as these were
    /// served less: never for the end of a large one.
    private mutating func check(_ job: Job) {
        guard job.isSmall, !job.hasJumped else { return }
        let slice = Self.longestSlice
        let own = (slice * 2 + job.cost) * (2 * (job.met + concurrency))
        let lead = job.ownTime + job.cost + PreparationQueue.longestLead + slice * 2
        guard job.ownTime <= own, job.othersTime <= lead * tenants.count + slice * concurrency else {
            violation =
                "a small job waited for \(job.ownTime) of its own tenant's and \(job.othersTime) of others' work"
            return
        }
    }

    private static let longestSlice = Duration.milliseconds(50)

    /// A checkpoint of expensive work may be late.
    private func slice(of id: PreparationQueue.ID) -> Duration {
        guard let job = jobs[id] else { return .zero }
        return job.cost > .seconds(1) ? Self.longestSlice : min(job.left, PreparationJob.slice)
    }

    private mutating func finish(
        _ id: PreparationQueue.ID, _ result: Result<Preparation.Outcome, APIError>
    ) -> Outcome? {
        guard let job = jobs.removeValue(forKey: id) else { return nil }
        ids[job.exchange] = nil
        return .prepared(job.exchange, result)
    }
}
