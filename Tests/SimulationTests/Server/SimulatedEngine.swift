import Engine
import Scheduling
import Synchronization
import TestSupport

/// The engine's two mailboxes, as the server sees them.
final class SimulatedMailboxes: InferenceEngine {
    struct Content {
        var submitted: [GenerationRequest] = []
        var aborted: Set<SequenceID> = []
        var stops = false
        var events: [TokenEvent] = []
        var statistics = EngineStatistics()
    }

    let content = Mutex(Content())
    private let capacity: Int

    init(capacity: Int) {
        self.capacity = capacity
    }

    func submit(_ requests: [GenerationRequest]) -> Bool {
        content.withLock {
            guard !$0.stops, $0.submitted.count + requests.count <= capacity else { return false }
            $0.submitted += requests
            return true
        }
    }

    func abort(_ ids: [SequenceID]) { content.withLock { $0.aborted.formUnion(ids) } }

    func takeReport() -> EngineReport {
        content.withLock { content in
            defer { content.events = [] }
            return EngineReport(events: content.events, statistics: content.statistics)
        }
    }

    func stop() { content.withLock { $0.stops = true } }

    var hasCommands: Bool { content.withLock { !$0.submitted.isEmpty || !$0.aborted.isEmpty } }
}

/// The engine's loop over the real scheduler and a scripted model, step by step on a virtual clock.
struct SimulatedEngine {
    private struct Sequence {
        var request: GenerationRequest
        /// Tokens after which the model ends by itself.
        var length: Int
        var generated = 0
        /// Tokens after which it fails, as a grammar without a next token does.
        var failsAt: Int?
        /// Whether it follows a grammar, whose masks take their time.
        var isConstrained = false
        /// When its next mask is there.
        var maskReady: ContinuousClock.Instant?
    }

    let mailboxes: SimulatedMailboxes
    private(set) var scheduler: Scheduler
    private var sequences: [SequenceID: Sequence] = [:]
    private var batch: ScheduledBatch?
    private var began = ContinuousClock.now
    private let start: ContinuousClock.Instant
    private let longestReply: Int
    private var random: SeededGenerator

    init(
        limits: SchedulerLimits, geometry: KVCacheGeometry, start: ContinuousClock.Instant, longestReply: Int,
        seed: UInt64
    ) {
        mailboxes = SimulatedMailboxes(capacity: limits.maxSequences + limits.maxQueuedSequences)
        scheduler = Scheduler(limits: limits, geometry: geometry)
        self.start = start
        self.longestReply = longestReply
        random = SeededGenerator(seed: seed)
    }

    /// Whether a step is under way.
    var isRunning: Bool { batch != nil }
    var isIdle: Bool { scheduler.isIdle && !mailboxes.hasCommands }

    /// When the next mask is there that a sequence waits for.
    func nextMask(after now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
        sequences.values.compactMap(\.maskReady).filter { $0 > now }.min()
    }

    /// Begins a step; returns whether there is anything to compute.
    mutating func begin(now: ContinuousClock.Instant) -> Bool {
        let commands = mailboxes.content.withLock { content in
            let taken = content
            (content.submitted, content.aborted) = ([], [])
            return taken
        }
        var events: [TokenEvent] = []
        for request in commands.submitted { admit(request, now, &events) }
        for id in commands.stops ? Set(sequences.keys) : commands.aborted where sequences[id] != nil {
            sequences[id] = nil
            scheduler.abort(id)
            events.append(event(id, finish: .abort))
        }
        let deferred = sequences.filter { $0.value.maskReady.map { $0 > now } ?? false }.map(\.key)
        let planned = scheduler.schedule(now: now - start, deferred: Set(deferred))
        for id in planned.expired {
            sequences[id] = nil
            events.append(event(id, finish: .deadlineExceeded))
        }
        for admitted in planned.admitted {
            var event = TokenEvent(sequence: admitted.id)
            event.admitted = now
            event.cachedTokens = admitted.cachedTokens
            events.append(event)
        }
        post(events)
        guard !planned.sequences.isEmpty else { return false }
        (batch, began) = (planned, now)
        return true
    }

    /// Ends the step that is under way.
    mutating func end(now: ContinuousClock.Instant) {
        guard let done = batch else { return }
        batch = nil
        scheduler.advance(done)
        var events: [TokenEvent] = []
        for scheduled in done.sequences where scheduled.samples {
            guard var sequence = sequences[scheduled.id] else { continue }
            var event = TokenEvent(sequence: scheduled.id)
            if sequence.generated == sequence.failsAt {
                event.finish = sequence.isConstrained ? .grammarLimit("exceeds a bound") : .unsatisfiable
            } else {
                sequence.generated += 1
                event.tokens = [GeneratedToken(id: 1, logprobs: nil, time: now)]
                if sequence.generated >= sequence.length {
                    event.finish = .stop(.endOfSequence)
                } else if sequence.generated >= sequence.request.maxTokens {
                    event.finish = .length
                }
            }
            events.append(event)
            if event.finish == nil {
                if sequence.isConstrained {
                    sequence.maskReady = now + .random(in: .microseconds(1) ... .seconds(60), &random)
                }
                sequences[scheduled.id] = sequence
                scheduler.appendTokens([1], to: scheduled.id)
            } else {
                sequences[scheduled.id] = nil
                scheduler.finish(scheduled.id)
            }
        }
        scheduler.observe(done.work, took: now - began)
        post(events)
    }

    private mutating func admit(
        _ request: GenerationRequest, _ now: ContinuousClock.Instant, _ events: inout [TokenEvent]
    ) {
        let terms = SchedulingTerms(
            priority: request.priority, tenant: request.tenant, deadline: request.deadline.map { $0 - start })
        do throws(AdmissionError) {
            try scheduler.add(
                request.id, prompt: request.promptIDs, maxTokens: max(request.maxTokens, 1), terms: terms,
                salt: request.cacheSalt)
        } catch {
            return events.append(event(request.id, finish: .error("\(error)")))
        }
        sequences[request.id] = Sequence(
            request: request, length: .random(in: 1...longestReply, using: &random),
            failsAt: random.oneIn(20) ? .random(in: 0...5, using: &random) : nil, isConstrained: random.oneIn(6))
    }

    private func event(_ id: SequenceID, finish: FinishReason) -> TokenEvent {
        var event = TokenEvent(sequence: id)
        event.finish = finish
        return event
    }

    private func post(_ events: [TokenEvent]) {
        var statistics = EngineStatistics()
        statistics.scheduler = scheduler.statistics
        mailboxes.content.withLock {
            $0.events += events
            $0.statistics = statistics
        }
    }
}
