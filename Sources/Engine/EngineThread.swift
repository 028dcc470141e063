import Scheduling
import Tokenizers

/// The engine's loop: take commands, schedule, run the model, sample, report. It owns the scheduler, the cache and every sequence.
/// It is created and used on one thread, and is not Sendable, so the compiler confines it to that thread.
final class EngineThread {
    let transformer: Transformer
    private let tokenizer: Tokenizer?
    let model: LoadedModel
    let mailbox: EngineMailbox
    private let outbox: EngineOutbox
    private let journal: StepJournal
    let clock = ContinuousClock()
    /// The zero point of the scheduler's times.
    let start: ContinuousClock.Instant
    var scheduler: Scheduler
    private let sampler: BatchSampler
    let pool: WorkerPool
    /// The other ranks, or `nil` if this process has the whole model.
    let ring: RankRing?
    /// The steps that the model has begun but not ended, in order.
    var begun: [BegunStep] = []
    /// The number of batches in flight, or `nil` to choose it by ``depth``.
    let batchesInFlight: Int?
    var depth = BatchDepth()
    private let speculativeTokens: Int?
    let maskWorkers: MaskWorkers
    var sequences: [SequenceID: GeneratingSequence] = [:]
    /// The sequences that cannot sample until the mask workers have answered.
    var deferred: Set<SequenceID> = []
    /// The sequences with a request to the mask workers since their last token.
    var asked: Set<SequenceID> = []
    /// Whether nothing can be computed until the mask workers have answered.
    var isBlocked = false
    var totals = EngineStatistics()
    private var readRate = ReadRate()

    init(
        loaded: EngineLoader.Loaded, tokenizer: Tokenizer?, mailbox: EngineMailbox, outbox: EngineOutbox,
        journal: StepJournal, maskWorkers: MaskWorkers
    ) {
        self.journal = journal
        self.maskWorkers = maskWorkers
        transformer = loaded.transformer
        model = loaded.loadedModel
        ring = loaded.ranks.map { RankRing($0.group, bounds: $0.bounds(loaded.loadedModel.geometry)) }
        batchesInFlight = loaded.batchesInFlight
        self.tokenizer = tokenizer
        self.mailbox = mailbox
        self.outbox = outbox
        scheduler = Scheduler(
            limits: loaded.limits, geometry: loaded.loadedModel.geometry, cachesPrefixes: loaded.cachesPrefixes)
        speculativeTokens = loaded.speculativeTokens
        start = clock.now
        pool = loaded.pool
        sampler = BatchSampler(vocabularySize: loaded.loadedModel.config.vocabularySize, pool: pool)
    }

    /// Runs until the mailbox requests a stop.
    ///
    /// - Throws: `RankFailure` if the other ranks cannot continue. All sequences have then ended with an error.
    func run() throws(RankFailure) {
        outbox.post([], statistics())
        // The events of this iteration, which have not yet been posted.
        var events: [TokenEvent] = []
        do throws(RankFailure) {
            while true {
                let commands = try takeCommands()
                journal.begin(submitted: commands.submitted.map(\.id))
                defer { journal.end() }
                events = admit(commands.submitted)
                events += abort(commands.stops ? Set(sequences.keys) : commands.aborted)
                events += takeMasks()
                isBlocked = false
                if commands.stops || !scheduler.isIdle || !begun.isEmpty {
                    try step(stops: commands.stops, &events)
                }
                // A report without events still contains statistics, such as the blocks that an abort has freed.
                if !events.isEmpty || !commands.isEmpty {
                    let begin = clock.now
                    outbox.post(events, statistics())
                    events = []
                    totals.phases.report += clock.now - begin
                }
                if commands.stops {
                    try ring?.stop()
                    return
                }
            }
        } catch {
            events += failAll(error)
            outbox.post(events, statistics())
            throw error
        }
    }

    private func admit(_ requests: [GenerationRequest]) -> [TokenEvent] {
        var refused: [TokenEvent] = []
        var prompt: AdmittedPrompt?
        for request in requests {
            do throws(RequestError) {
                try admit(request, &prompt)
            } catch {
                // The server checks lengths and acquires permits first, so this is a server error.
                var event = TokenEvent(sequence: request.id)
                event.finish = .error(String(describing: error))
                if case .grammarLimit(let limit) = error { event.finish = .grammarLimit(String(describing: limit)) }
                refused.append(event)
            }
        }
        return refused
    }

    /// - Parameter last: The prompt of the previous request, which often is another choice of the same prompt.
    private func admit(_ request: GenerationRequest, _ last: inout AdmittedPrompt?) throws(RequestError) {
        guard request.maxTokens >= 0 else { throw .empty }
        var prompt: AdmittedPrompt
        if let last, last.isPrompt(of: request) {
            prompt = last
        } else {
            prompt = try AdmittedPrompt(request, scheduler, vocabularySize: model.config.vocabularySize)
        }
        let counts = prompt.counts(for: request)
        last = prompt
        let sequence = GeneratingSequence(
            request, counts: counts, tokenizer: tokenizer, endOfSequenceIDs: model.endOfSequenceIDs)
        if let limit = sequence.grammar?.known.first?.limit { throw .grammarLimit(limit) }
        do throws(AdmissionError) {
            let parameters = SchedulingParameters(
                priority: request.priority, tenant: request.tenant, deadline: request.deadline.map { $0 - start })
            try scheduler.add(
                request.id, prompt: prompt.shared, maxTokens: max(request.maxTokens, 1), parameters: parameters,
                takesPrefix: request.promptLogprobs == nil && !request.embedsPrompt)
        } catch {
            throw .notAdmitted(error)
        }
        sequences[request.id] = sequence
        if sequence.isPending { askForMasks(of: request.id) }
    }

    private func abort(_ ids: Set<SequenceID>) -> [TokenEvent] {
        ids.sorted().compactMap { id in
            guard let sequence = remove(id) else { return nil }
            scheduler.abort(id)
            var event = TokenEvent(sequence: id)
            event.finish = .abort
            event.preemptions = sequence.preemptions
            return event
        }
    }

    /// Begins as many steps as may be in flight, and ends the first of them unless more can begin.
    ///
    /// - Parameters:
    ///   - stops: Whether the engine stops: no step begins, and all steps end.
    ///   - events: The array to which events are added, even if this throws.
    private func step(stops: Bool, _ events: inout [TokenEvent]) throws(RankFailure) {
        if !stops { chooseBatches() }
        while !stops, begun.count < mostBegun, !scheduler.isIdle, try beginStep(&events) {}
        totals.mostBatchesInFlight = max(totals.mostBatchesInFlight, begun.count)
        // What has arrived may begin before the reply.
        if !stops, begun.count < mostBegun, try !waitForReply() { return }
        repeat {
            if !begun.isEmpty { events += try endStep(begun.removeFirst()) }
        } while stops && !begun.isEmpty
    }

    /// A step that the model has begun.
    struct BegunStep {
        var scheduled: ScheduledBatch
        var batch: ForwardBatch
        /// The number of rows that need logits, for each sequence of the batch.
        var logitRows: [Int]
        /// The memory traffic of this rank's layers.
        var traffic: MemoryTraffic
        /// The events of its sequences so far.
        var events: [SequenceID: TokenEvent]
        var begin: ContinuousClock.Instant
        var scheduleEnd: ContinuousClock.Instant
        /// The time of this rank's layers.
        var compute: Duration
    }

    /// Schedules a step and begins it. Returns false if there is nothing to compute.
    private func beginStep(_ outcome: inout [TokenEvent]) throws(RankFailure) -> Bool {
        let now = clock.now
        let scheduled = scheduler.schedule(now: now - start, drafts: proposeDrafts(), deferred: deferred)
        for id in scheduled.expired {
            var event = TokenEvent(sequence: id)
            event.preemptions = remove(id)?.preemptions ?? 0
            event.finish = .deadlineExceeded
            outcome.append(event)
        }
        for id in scheduled.preempted { sequences[id]?.preemptions += 1 }
        // The sequences that expired may have been the last ones.
        guard !scheduled.sequences.isEmpty else {
            isBlocked = !deferred.isEmpty && begun.isEmpty
            return false
        }
        var events: [SequenceID: TokenEvent] = [:]
        for admitted in scheduled.admitted {
            var event = TokenEvent(sequence: admitted.id)
            event.admitted = now
            event.cachedTokens = admitted.cachedTokens
            event.prefixMissReason = admitted.missReason
            events[admitted.id] = event
            totals.promptTokens += UInt64(sequences[admitted.id]?.request.promptIDs.count ?? 0)
        }
        // The masks after draft tokens are computed while the model runs.
        for entry in scheduled.sequences where entry.drafts > 0 { askForMasks(of: entry.id, drafts: entry.drafts) }
        let batch = forwardBatch(scheduled)
        journal.compute(scheduled.sequences.map(\.id), tokens: batch.tokens.count)
        let scheduleEnd = clock.now
        let compute = try begin(batch)
        begun.append(
            BegunStep(
                scheduled: scheduled, batch: batch, logitRows: scheduled.sequences.map(logitRows),
                traffic: transformer.traffic, events: events, begin: now, scheduleEnd: scheduleEnd, compute: compute))
        return true
    }

    /// Returns the number of rows that need logits: that of the last token and those of its drafts.
    private func logitRows(_ entry: ScheduledSequence) -> Int {
        entry.samples && !isEmbedding(entry.id) ? 1 + entry.drafts : 0
    }

    /// Ends the first of the steps that have begun: samples and reports. Returns its events.
    private func endStep(_ step: BegunStep) throws(RankFailure) -> [TokenEvent] {
        let (scheduled, batch, now, scheduleEnd) = (step.scheduled, step.batch, step.begin, step.scheduleEnd)
        // Sequences that have ended in the meantime already had their last event.
        var events = step.events.filter { sequences[$0.key] != nil }
        let completeBegin = clock.now
        let logits = try complete(step)
        addHiddenStates(scheduled)
        let forwardEnd = clock.now
        let late = waitForMasks(of: scheduled, &events)
        scheduler.advance(scheduled, deferring: late)
        totals.steps += 1
        totals.traffic += transformer.traffic
        totals.stepSizes.add(batch.tokens.count)
        // The wait for other ranks is excluded. They compute other layers, and steps in flight wait at the same time.
        let forward = step.compute + (forwardEnd - completeBegin) - (ring?.lastWait ?? .zero)
        readRate.add(transformer.traffic, took: forward)
        let promptRows = promptRows(scheduled)

        for entry in scheduled.sequences where !entry.samples {
            guard let sequence = sequences[entry.id], sequence.request.reportsProgress, sequence.generatedTokens == 0
            else { continue }
            events[entry.id, default: TokenEvent(sequence: entry.id)].promptProgress =
                (entry.tokens.upperBound, forwardEnd)
        }
        let due = dueRows(step, late: late)
        // This is a separate statement so that its copies of the sequences are released before they change.
        let results = sampler.sample(due.map(samplingJob), logits)
        let sampleEnd = clock.now
        for (due, result) in zip(due, results) {
            append(result, to: due.entry, event: &events[due.entry.id, default: TokenEvent(sequence: due.entry.id)])
        }
        let reportEnd = clock.now
        reportPrompts(promptRows, in: &events)
        let end = clock.now
        totals.phases.schedule += scheduleEnd - now
        totals.phases.forward += forward
        totals.phases.sample += sampleEnd - forwardEnd + (end - reportEnd)
        totals.phases.report += reportEnd - sampleEnd
        scheduler.observe(
            scheduled.work, took: end - now, computing: observeStages(endingTook: end - completeBegin))
        #if DEBUG
            scheduler.checkInvariants()
        #endif
        // The order is fixed and starts with sequences that ended in this step without being part of it.
        let known = scheduled.sequences.map(\.id)
        return (Set(events.keys).subtracting(known).sorted() + known).compactMap { events[$0] }
    }

    /// Proposes draft tokens for the sequences that may decode. Returns the number for each.
    private func proposeDrafts() -> [SequenceID: Int] {
        guard let speculativeTokens else { return [:] }
        var counts: [SequenceID: Int] = [:]
        for id in sequences.keys where !scheduler.isInFlight(id) {
            if let count = sequences[id]?.propose(limit: speculativeTokens), count > 0 { counts[id] = count }
        }
        return counts
    }

    /// Returns the sequences that sample in this step, each with the row of its first logits.
    private func dueRows(_ step: BegunStep, late: Set<SequenceID>) -> [(entry: ScheduledSequence, row: Int)] {
        var due: [(entry: ScheduledSequence, row: Int)] = []
        var row = 0
        for (entry, rows) in zip(step.scheduled.sequences, step.logitRows) where entry.samples {
            // A mask may have ended the sequence, or it was aborted in the meantime.
            if !late.contains(entry.id), sequences[entry.id] != nil { due.append((entry, row)) }
            row += rows
        }
        return due
    }

    private func samplingJob(_ entry: ScheduledSequence, row: Int) -> BatchSampler.Job {
        guard let sequence = sequences[entry.id] else {
            preconditionFailure("the scheduler and the engine know the same sequences")
        }
        return BatchSampler.Job(sequence: sequence, row: row, drafts: entry.drafts)
    }

    /// Processes the tokens sampled for a sequence.
    ///
    /// - Parameter result: The tokens, or `nil` if the sequence requests none.
    private func append(
        _ result: Result<[SampledToken], SamplerError>?, to scheduled: ScheduledSequence, event: inout TokenEvent
    ) {
        let id = scheduled.id
        guard var sequence = sequences.removeValue(forKey: id) else { return }
        // Requests about draft tokens are obsolete.
        if asked.remove(id) != nil { maskWorkers.drop(id) }
        do throws(SamplerError) {
            if let sampled = try result?.get() {
                append(sampled, to: &sequence, drafts: scheduled.drafts, event: &event)
            } else {
                event.embedding = sequence.hiddenStates?.normalized
                let isMissing = sequence.hiddenStates != nil && event.embedding == nil
                event.finish = isMissing ? .error("the hidden states have no direction") : .length
            }
        } catch {
            event.finish = error == .noCandidate ? .unsatisfiable : .error(String(describing: error))
        }
        sequences[id] = sequence
        if event.finish != nil { return finish(id, event: &event) }
        if sequence.isPending { askForMasks(of: id) }
    }

    private func append(
        _ sampled: [SampledToken], to sequence: inout GeneratingSequence, drafts: Int, event: inout TokenEvent
    ) {
        var ids: [Int32] = []
        for token in sampled where event.finish == nil {
            ids.append(token.id)
            let (text, finish) = sequence.append(token.id)
            totals.generationTokens += 1
            event.tokens.append(GeneratedToken(id: token.id, logprobs: token.logprobs, time: clock.now))
            event.text += text
            event.finish = finish
        }
        sequence.learn(accepted: sampled.count - 1, of: drafts)
        // The scheduler does not need the token that ends a sequence.
        if event.finish != nil { ids.removeLast() }
        if !ids.isEmpty { scheduler.appendTokens(ids, to: sequence.request.id) }
    }

    /// Ends a sequence whose finish reason has been set.
    func finish(_ id: SequenceID, event: inout TokenEvent) {
        event.preemptions = remove(id)?.preemptions ?? 0
        scheduler.finish(id)
    }

    /// Removes a sequence and its mask request.
    func remove(_ id: SequenceID) -> GeneratingSequence? {
        let sequence = sequences.removeValue(forKey: id)
        deferred.remove(id)
        asked.remove(id)
        if sequence?.request.grammar != nil { maskWorkers.drop(id) }
        return sequence
    }

    private func forwardBatch(_ scheduled: ScheduledBatch) -> ForwardBatch {
        var batch = ForwardBatch()
        for entry in scheduled.sequences {
            guard let sequence = sequences[entry.id] else { continue }
            let firstRow = batch.tokens.count
            sequence.tokens.copy(entry.tokens.lowerBound..<entry.tokens.upperBound - entry.drafts, to: &batch.tokens)
            batch.tokens += sequence.drafts.prefix(entry.drafts)
            let tables = scheduler.blockTables(entry.id)
            batch.sequences.append(
                ForwardBatch.Sequence(
                    rows: firstRow..<batch.tokens.count, start: entry.tokens.lowerBound, globalTable: tables.global,
                    slidingTable: tables.sliding))
            let rows = firstRow..<batch.tokens.count
            let sampled = rows.suffix(logitRows(entry))
            batch.logitRows += sampled
            batch.finalRows += usesAllRows(entry.id) ? rows : sampled
        }
        return batch
    }

    func statistics() -> EngineStatistics {
        totals.scheduler = scheduler.statistics
        let masks = maskWorkers.totals
        totals.masks.computations = masks.computations
        totals.masks.units = masks.units
        totals.masks.time = masks.time
        totals.readRate = readRate.value
        totals.ranks = ring?.totals ?? []
        return totals
    }
}
