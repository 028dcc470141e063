import Foundation

/// Rank 0's end of the ring, which sends steps to rank 1 and receives the replies of the last rank. Used on one thread.
final class RankRing {
    /// How long an idle ring waits for the next step before the other ranks sleep.
    static let restDelay = Duration.milliseconds(50)
    /// The time below which a wait means that the reply had already arrived.
    private static let shortWait = Duration.microseconds(50)

    let group: RankGroup
    private let bounds: StepBounds
    private let hiddenSize: Int
    private let clock = ContinuousClock()
    private var started: UInt64 = 0
    private var completed: UInt64 = 0
    private(set) var isResting = false
    /// The totals of all ranks.
    private(set) var totals: [RankStatistics]
    /// The stages' times of the last completed step.
    private var lastTimes: [StageTime] = []
    /// The number and the start time of the last step that was sent while no other was in flight and the other ranks were awake.
    private var loneStart: (step: UInt64, time: ContinuousClock.Instant)?
    /// The time of the last step's messages, if no other step was in flight.
    private(set) var lastMessageTime: Duration?
    /// The time that the last call of ``complete(_:)`` waited.
    private(set) var lastWait = Duration.zero
    /// The reply to the first of the steps in flight, if it has arrived.
    private var arrived: [UInt8]?
    /// The time of all waits for this reply so far, and that of the last one.
    private var waits = (total: Duration.zero, last: Duration.zero)

    init(_ group: RankGroup, bounds: StepBounds) {
        self.group = group
        self.bounds = bounds
        hiddenSize = bounds.hiddenSize
        totals = [RankStatistics](repeating: RankStatistics(), count: group.ranks)
    }

    /// Sends a step.
    ///
    /// - Parameters:
    ///   - rows: The residual stream after this rank's layers.
    ///   - compute: The time of this rank's layers.
    func begin(_ batch: ForwardBatch, rows: UnsafeBufferPointer<Float>, compute: Duration) throws(RankFailure) {
        if started == completed, !isResting { loneStart = (started, clock.now) }
        try wake()
        let times = [StageTime(compute: UInt64(compute / .nanoseconds(1)), wait: 0)]
        try group.transport.send(
            StepMessage.bytes(number: started, batch, times: times, rows: rows, bounds), to: 1)
        started += 1
    }

    /// Waits until the reply to the first of the steps in flight has arrived, or until `isInterrupted` returns true. Returns
    /// whether it has arrived.
    func waitForReply(unless isInterrupted: () -> Bool) throws(RankFailure) -> Bool {
        guard arrived == nil else { return true }
        let begin = clock.now
        arrived = try group.receiveReply(
            atMost: bounds.bytes(ranks: group.ranks), waited: waits.total, unless: isInterrupted)
        waits.last = clock.now - begin
        waits.total += waits.last
        return arrived != nil
    }

    /// Waits for the reply to the first of the steps in flight.
    func complete(_ batch: ForwardBatch) throws(RankFailure) -> StepReply {
        let begin = clock.now
        let last = group.ranks - 1
        _ = try waitForReply { false }
        lastWait = clock.now - begin
        defer { (arrived, waits) = (nil, (.zero, .zero)) }
        let bytes = arrived ?? []
        let reply = try group.read(bytes, from: last) { (reader) throws(RankMessageError) -> StepReply? in
            guard try RankMessage.read(&reader) == .reply else { return nil }
            return try StepReply(
                bytes, number: completed, rows: batch.finalRows.count, ranks: group.ranks, hiddenSize: hiddenSize)
        }
        lastMessageTime = nil
        // Without a wait, the reply may have arrived earlier.
        if let loneStart, loneStart.step == completed, waits.last > Self.shortWait {
            let compute = reply.times.dropFirst().reduce(0) { $0 + Double($1.compute) }
            lastMessageTime = clock.now - loneStart.time - .seconds(compute / 1e9)
        }
        completed += 1
        lastTimes = reply.times
        for (rank, time) in reply.times.enumerated() {
            totals[rank].compute += .nanoseconds(Int64(clamping: time.compute))
            totals[rank].wait += .nanoseconds(Int64(clamping: time.wait))
        }
        totals[0].wait += waits.total
        return reply
    }

    /// Returns the times of the stages in the last step. That of rank 0 includes the time to end the step, without the wait.
    ///
    /// - Parameter end: The time to end the step, from the start of the wait for its reply to the report.
    func stageTimes(endingTook end: Duration) -> [Duration] {
        var times = lastTimes.map { Duration.nanoseconds(Int64(clamping: $0.compute)) }
        if !times.isEmpty { times[0] += end - lastWait }
        return times
    }

    /// Lets the other ranks sleep until the next step.
    func rest() throws(RankFailure) {
        guard !isResting else { return }
        isResting = true
        try group.transport.send(RankMessage.rest.writer.bytes, to: 1)
        try group.flush()
    }

    /// Stops the other ranks.
    func stop() throws(RankFailure) {
        try group.check()
        try wake()
        try group.transport.send(RankMessage.stop.writer.bytes, to: 1)
        try group.flush()
    }

    private func wake() throws(RankFailure) {
        guard isResting else { return }
        isResting = false
        group.transport.bell.ring()
    }
}
