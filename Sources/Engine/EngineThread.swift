import Scheduling
import Text

/// The engine's loop: take commands, schedule, run the model, sample, report. Owns the scheduler, the cache and every
/// sequence; made and used on one thread, and not Sendable so that the compiler keeps it there.
final class EngineThread {
    private let transformer: Transformer
    private let tokenizer: Tokenizer?
    private let model: LoadedModel
    private let mailbox: EngineMailbox
    private let outbox: EngineOutbox
    private let clock = ContinuousClock()
    /// What the scheduler's times count from.
    private let start: ContinuousClock.Instant
    private var scheduler: Scheduler
    private let sampler: Sampler
    private var sequences: [SequenceID: GeneratingSequence] = [:]
    private var totals = EngineStatistics()

    init(loaded: EngineLoader.Loaded, tokenizer: Tokenizer?, mailbox: EngineMailbox, outbox: EngineOutbox) {
        transformer = loaded.transformer
        model = loaded.loadedModel
        self.tokenizer = tokenizer
        self.mailbox = mailbox
        self.outbox = outbox
        scheduler = Scheduler(
            limits: loaded.limits, geometry: loaded.loadedModel.geometry, cachesPrefixes: loaded.cachesPrefixes)
        start = clock.now
        sampler = Sampler(vocabularySize: loaded.loadedModel.config.vocabularySize)
    }

    /// Runs until the mailbox says stop.
    func run() {
        outbox.post([], statistics())
        while true {
            let commands = mailbox.take(waits: scheduler.isIdle)
            var events = admit(commands.submitted)
            events += abort(commands.stops ? Set(sequences.keys) : commands.aborted)
            if !commands.stops, !scheduler.isIdle { events += step() }
            // Without an event a report still tells the statistics: blocks that an abort has freed.
            if !events.isEmpty || !commands.isEmpty { outbox.post(events, statistics()) }
            if commands.stops { return }
        }
    }

    private func admit(_ requests: [GenerationRequest]) -> [TokenEvent] {
        var refused: [TokenEvent] = []
        for request in requests {
            do throws(RequestError) {
                try admit(request)
            } catch {
                // The server checks lengths and reserves places first, so this is its mistake, not the client's.
                var event = TokenEvent(sequence: request.id)
                event.finish = .error(String(describing: error))
                refused.append(event)
            }
        }
        return refused
    }

    private func admit(_ request: GenerationRequest) throws(RequestError) {
        let ids = Int32(0)..<Int32(model.config.vocabularySize)
        guard !request.promptIDs.isEmpty, request.maxTokens > 0 else { throw .empty }
        // A tokenizer may know more tokens than the model has rows.
        if let id = request.promptIDs.first(where: { !ids.contains($0) }) {
            throw .unknownToken(id, vocabularySize: model.config.vocabularySize)
        }
        do throws(AdmissionError) {
            let terms = SchedulingTerms(
                priority: request.priority, tenant: request.tenant, deadline: request.deadline.map { $0 - start })
            try scheduler.add(
                request.id, prompt: request.promptIDs, maxTokens: request.maxTokens, terms: terms,
                salt: request.cacheSalt)
        } catch {
            throw .notAdmitted(error)
        }
        sequences[request.id] = GeneratingSequence(
            request, tokenizer: tokenizer, endOfSequenceIDs: model.endOfSequenceIDs)
    }

    private func abort(_ ids: Set<SequenceID>) -> [TokenEvent] {
        ids.sorted().compactMap { id in
            guard sequences.removeValue(forKey: id) != nil else { return nil }
            scheduler.abort(id)
            var event = TokenEvent(sequence: id)
            event.finish = .abort
            return event
        }
    }

    private func step() -> [TokenEvent] {
        let now = clock.now
        let scheduled = scheduler.schedule(now: now - start)
        var events: [SequenceID: TokenEvent] = [:]
        for id in scheduled.expired {
            sequences[id] = nil
            events[id, default: TokenEvent(sequence: id)].finish = .deadlineExceeded
        }
        // The deadline may have been that of the last one.
        guard !scheduled.sequences.isEmpty else { return scheduled.expired.compactMap { events[$0] } }
        for admitted in scheduled.admitted {
            var event = TokenEvent(sequence: admitted.id)
            event.admitted = now
            event.cachedTokens = admitted.cachedTokens
            events[admitted.id] = event
            totals.promptTokens += UInt64(sequences[admitted.id]?.request.promptIDs.count ?? 0)
        }
        let batch = forwardBatch(scheduled)
        let logits = transformer.forward(batch)
        scheduler.advance(scheduled)
        totals.steps += 1

        let vocabularySize = model.config.vocabularySize
        var row = 0
        for entry in scheduled.sequences where entry.samples {
            let rowLogits = logits.extracting(row * vocabularySize..<(row + 1) * vocabularySize)
            row += 1
            sample(entry.id, rowLogits, into: &events[entry.id, default: TokenEvent(sequence: entry.id)])
        }
        scheduler.observe(scheduled.work, took: clock.now - now)
        #if DEBUG
            scheduler.checkInvariants()
        #endif
        return (scheduled.expired + scheduled.sequences.map(\.id)).compactMap { events[$0] }
    }

    private func sample(_ id: SequenceID, _ logits: UnsafeBufferPointer<Float>, into event: inout TokenEvent) {
        guard var sequence = sequences.removeValue(forKey: id) else { return }
        let request = sequence.request
        do throws(SamplerError) {
            let sampled = try sampler.sample(
                logits, parameters: request.sampling, counts: sequence.counts, position: sequence.generatedTokens,
                stopIDs: sequence.stopIDs, logprobs: request.logprobs)
            let (text, finish) = sequence.append(sampled.id)
            totals.generationTokens += 1
            event.tokens.append(GeneratedToken(id: sampled.id, logprobs: sampled.logprobs, time: clock.now))
            event.text += text
            event.finish = finish
            if finish == nil { scheduler.appendToken(sampled.id, to: id) }
        } catch {
            event.finish = .error(String(describing: error))
        }
        if event.finish == nil {
            sequences[id] = sequence
        } else {
            scheduler.finish(id)
        }
    }

    private func forwardBatch(_ scheduled: ScheduledBatch) -> ForwardBatch {
        var batch = ForwardBatch()
        for entry in scheduled.sequences {
            guard let sequence = sequences[entry.id] else { continue }
            let firstRow = batch.tokens.count
            batch.tokens += sequence.tokens[entry.tokens]
            let tables = scheduler.blockTables(entry.id)
            batch.sequences.append(
                ForwardBatch.Sequence(
                    rows: firstRow..<batch.tokens.count, start: entry.tokens.lowerBound, globalTable: tables.global,
                    slidingTable: tables.sliding))
            if entry.samples { batch.logitRows.append(batch.tokens.count - 1) }
        }
        return batch
    }

    private func statistics() -> EngineStatistics {
        totals.scheduler = scheduler.statistics
        return totals
    }
}
