import Engine
import Scheduling
import Synchronization
import TestSupport

/// The engine's two mailboxes, from the server's side.
final class SimulatedMailboxes: InferenceEngine {
    struct Content {
        var submitted: [GenerationRequest] = []
        var aborted: Set<SequenceID> = []
        var stops = false
        var events: [TokenEvent] = []
        var statistics = EngineStatistics()
        var running: RunningStep?
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

/// The engine's loop with the real scheduler and a scripted model, step by step on a virtual clock.
struct SimulatedEngine {
    private struct Sequence {
        var request: GenerationRequest
        /// The number of tokens after which the model ends the sequence.
        var length: Int
        var generated = 0
        /// The number of tokens after which it fails, like a grammar without a next token.
        var failsAt: Int?
        /// The maximum work of a mask of its grammar in units; 0: it has no grammar.
        var maskUnits = 0
        /// Whether its next mask is not ready.
        var awaitsMask = false
    }

    let mailboxes: SimulatedMailboxes
    private(set) var scheduler: Scheduler
    var masks: SimulatedMasks
    private var sequences: [SequenceID: Sequence] = [:]
    private var batch: ScheduledBatch?
    private var began = ContinuousClock.now
    private let start: ContinuousClock.Instant
    private let longestReply: Int
    /// One of this many sequences has a grammar.
    private let grammars: Int
    private var random: SeededGenerator

    init(
        limits: SchedulerLimits, geometry: KVCacheGeometry, start: ContinuousClock.Instant, longestReply: Int,
        maskWorkers: Int, grammars: Int, seed: UInt64
    ) {
        masks = SimulatedMasks(workers: maskWorkers)
        mailboxes = SimulatedMailboxes(capacity: limits.maxSequences + limits.maxQueuedSequences)
        scheduler = Scheduler(limits: limits, geometry: geometry)
        self.start = start
        self.longestReply = longestReply
        self.grammars = grammars
        random = SeededGenerator(seed: seed)
    }

    private var hasChanged = true

    /// Whether the scheduler may have changed since the last call.
    mutating func takeChange() -> Bool {
        defer { hasChanged = false }
        return hasChanged
    }

    /// Whether a step is running.
    var isRunning: Bool { batch != nil }
    var isIdle: Bool { scheduler.isIdle && !mailboxes.hasCommands }
    /// The number of the current step, or of the last one, and its start.
    private(set) var step = RunningStep(number: 0, began: .now)

    /// Records that a worker has done a slice of a mask.
    mutating func maskSliceEnded(_ id: MaskQueue.ID) {
        if let sequence = masks.sliceEnded(id) { sequences[sequence]?.awaitsMask = false }
    }

    /// Begins a step; returns whether there is anything to compute.
    mutating func begin(now: ContinuousClock.Instant) -> Bool {
        hasChanged = true
        let commands = mailboxes.content.withLock { content in
            let taken = content
            (content.submitted, content.aborted) = ([], [])
            return taken
        }
        var events: [TokenEvent] = []
        for request in commands.submitted { admit(request, now, &events) }
        for id in (commands.stops ? Set(sequences.keys) : commands.aborted).sorted() where sequences[id] != nil {
            forget(id)
            scheduler.abort(id)
            events.append(event(id, finish: .abort))
        }
        let deferred = sequences.filter(\.value.awaitsMask).map(\.key)
        let planned = scheduler.schedule(now: now - start, deferred: Set(deferred))
        for id in planned.expired {
            forget(id)
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
        step = RunningStep(number: step.number + 1, began: now)
        mailboxes.content.withLock { $0.running = step }
        return true
    }

    /// Ends the current step.
    mutating func end(now: ContinuousClock.Instant) {
        guard let done = batch else { return }
        (batch, hasChanged) = (nil, true)
        mailboxes.content.withLock { $0.running = nil }
        scheduler.advance(done)
        var events: [TokenEvent] = []
        for scheduled in done.sequences where scheduled.samples {
            guard var sequence = sequences[scheduled.id] else { continue }
            var event = TokenEvent(sequence: scheduled.id)
            if sequence.generated == sequence.failsAt {
                event.finish = sequence.maskUnits > 0 ? .grammarLimit("exceeds a bound") : .unsatisfiable
            } else if sequence.request.embedsPrompt {
                // Told by its prompt, so that a vector that comes to another input is seen.
                (event.finish, event.embedding) = (.length, [Float(sequence.request.promptIDs.count)])
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
                if sequence.maskUnits > 0 {
                    sequence.awaitsMask = true
                    masks.ask(
                        scheduled.id, tenant: sequence.request.tenant,
                        units: .random(in: 1...sequence.maskUnits, using: &random))
                }
                sequences[scheduled.id] = sequence
                scheduler.appendTokens([1], to: scheduled.id)
            } else {
                forget(scheduled.id)
                scheduler.finish(scheduled.id)
            }
        }
        scheduler.observe(done.work, took: now - began)
        post(events)
    }

    private mutating func admit(
        _ request: GenerationRequest, _ now: ContinuousClock.Instant, _ events: inout [TokenEvent]
    ) {
        let parameters = SchedulingParameters(
            priority: request.priority, tenant: request.tenant, deadline: request.deadline.map { $0 - start })
        do throws(AdmissionError) {
            try scheduler.add(
                request.id, prompt: request.promptIDs, maxTokens: max(request.maxTokens, 1), parameters: parameters,
                cacheSalt: request.cacheSalt)
        } catch {
            return events.append(event(request.id, finish: .error("\(error)")))
        }
        var sequence = Sequence(request: request, length: .random(in: 1...longestReply, using: &random))
        if random.oneIn(20) { sequence.failsAt = .random(in: 0...5, using: &random) }
        // Most grammars are cheap; some are extremely expensive.
        if random.oneIn(grammars) {
            let slices = random.oneIn(grammars > 2 ? 4 : 2) ? Int.random(in: 1...300, using: &random) : 1
            sequence.maskUnits = slices * MaskQueue.unitsPerSlice
            sequence.length = min(sequence.length, 40)
        }
        sequences[request.id] = sequence
    }

    private mutating func forget(_ id: SequenceID) {
        sequences[id] = nil
        masks.drop(id)
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
