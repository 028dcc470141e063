import Scheduling

extension ScheduleSimulation {
    /// The properties that must hold after every step.
    func checkState() throws(Failure) {
        let violation = scheduler.violatedInvariant()
        try expect(violation == nil, violation ?? "")
        let statistics = scheduler.statistics
        try expect(statistics.running + statistics.waiting == live.count, "a sequence is lost")
        try expect(
            statistics.freeBlocks + statistics.cachedBlocks + statistics.globalBlocks + statistics.slidingBlocks
                == geometry.totalBlocks,
            "the blocks do not add up")
    }

    /// The properties of a batch before it runs.
    ///
    /// - Parameters:
    ///   - before: the sequences when it was planned.
    ///   - offers: the offered drafts.
    mutating func check(
        _ batch: ScheduledBatch, _ before: [Script], offers: [SequenceID: Int]
    ) throws(Failure) {
        let limits = scheduler.limits
        try expect(batch.tokenCount <= limits.maxBatchedTokens, "the budget is exceeded")
        try expect(scheduler.statistics.running <= limits.maxRunning, "too many run")
        let late = before.filter { $0.deadline.map { $0 <= now } ?? false }.map(\.id).sorted()
        try expect(batch.expired == late, "\(late) are late, \(batch.expired) expire")
        try expect(
            Set(batch.sequences.map(\.id)).isDisjoint(with: late + batch.preempted),
            "a preempted or late sequence is scheduled")
        let here = before.filter { !late.contains($0.id) }
        try expect(here.allSatisfy { deferred.contains($0.id) } || !batch.sequences.isEmpty, "nothing is computed")
        try checkPreemptions(batch, here)
        try checkOrder(batch, here.filter(\.isRunning))
        try checkChunks(batch)
        try checkDrafts(batch, offers)
        try expect(batch.work == work(of: batch, here), "the work is not that of the tokens")
    }

    /// The last sequence by rank is preempted, and no other is admitted at once in its place.
    private mutating func checkPreemptions(_ batch: ScheduledBatch, _ here: [Script]) throws(Failure) {
        let scheduled = here.filter { script in batch.sequences.contains { $0.id == script.id } }
        for id in batch.preempted {
            guard let index = live.firstIndex(where: { $0.id == id }) else { continue }
            let rank = live[index].rank
            try expect(live[index].isRunning, "\(id) is preempted and did not run")
            live[index].isRunning = false
            if deferred.contains(id) {
                deferredPreemptions += 1
                continue
            }
            try expect(scheduled.allSatisfy { $0.rank < rank }, "\(id) is preempted by one of a later rank")
        }
        try expect(
            deferred.isSuperset(of: batch.preempted) || scheduled.allSatisfy(\.isRunning),
            "one is admitted while another is preempted")
    }

    /// The first sequence by rank advances, every decode is scheduled, and the first prefill gets its minimum, as far as there
    /// are blocks.
    private func checkOrder(_ batch: ScheduledBatch, _ running: [Script]) throws(Failure) {
        func computed(_ script: Script) -> Int { batch.sequences.first { $0.id == script.id }?.tokens.count ?? 0 }
        let statistics = scheduler.statistics
        let isPoolEmpty = statistics.freeBlocks + statistics.cachedBlocks < geometry.blocksPerLogicalBlock
        let running = running.filter { !batch.preempted.contains($0.id) }.sorted { $0.rank < $1.rank }
        if let first = running.first(where: { !deferred.contains($0.id) }) {
            try expect(computed(first) > 0, "\(first.id) is the first and does not advance")
        }
        let decodes = running.filter { $0.remainingTokens == 1 && !deferred.contains($0.id) }
        for script in decodes where !isPoolEmpty {
            try expect(computed(script) >= 1, "\(script.id) does not decode though there are blocks")
        }
        // A decode after it may have preempted a sequence and left blocks over.
        guard let prefill = running.first(where: { $0.remainingTokens > 1 }), !isPoolEmpty, batch.preempted.isEmpty
        else { return }
        let limits = scheduler.limits
        let due = prefill.remainingTokens - (deferred.contains(prefill.id) ? 1 : 0)
        let least = min(limits.minimumChunk, due, limits.maxBatchedTokens - decodes.count)
        try expect(computed(prefill) >= least, "\(prefill.id) is the first prefill and computes \(computed(prefill))")
    }

    /// Every chunk continues at the position of the sequence, and samples only at its end.
    private mutating func checkChunks(_ batch: ScheduledBatch) throws(Failure) {
        var firstTimers: [SequenceID: AdmittedSequence] = [:]
        var seen: Set<SequenceID> = []
        var prefills: [Script] = []
        for scheduled in batch.sequences {
            let (id, tokens) = (scheduled.id, scheduled.tokens)
            guard let index = live.firstIndex(where: { $0.id == id }) else {
                throw Failure(step: step, description: "\(id) is scheduled and has ended")
            }
            try expect(seen.insert(id).inserted, "\(id) is in the batch twice")
            if !live[index].isRunning {
                if live[index].runs == 0 {
                    firstTimers[id] = AdmittedSequence(id: id, cachedTokens: tokens.lowerBound)
                }
                try begin(index, hit: tokens.lowerBound)
            }
            let script = live[index]
            try expect(
                tokens.lowerBound == script.computedTokens && !tokens.isEmpty, "\(id) computes \(tokens) out of turn")
            let end = tokens.upperBound - scheduled.drafts
            try expect(end <= script.tokens.count, "\(id) computes tokens that it does not have")
            try expect(scheduled.samples == (end == script.tokens.count), "\(id) samples at the wrong place")
            try expect(!scheduled.samples || !deferred.contains(id), "\(id) is deferred and samples")
            if script.remainingTokens > 1 { prefills.append(script) }
        }
        let admitted = Dictionary(
            uniqueKeysWithValues: batch.admitted.map {
                ($0.id, AdmittedSequence(id: $0.id, cachedTokens: $0.cachedTokens))
            })
        try expect(admitted == firstTimers, "\(batch.admitted) are admitted, \(firstTimers) run for the first time")
        if prefills.count > 1 { sharedSteps += 1 }
        for script in prefills {
            let older = live.contains { $0.rank < script.rank && $0.sampledTokens == 0 }
            let isDone = batch.sequences.contains { $0.id == script.id && $0.samples }
            if older && isDone && script.sampledTokens == 0 { overtakings += 1 }
        }
    }

    /// Drafts follow decodes, at most as many as were offered, and none that must not be sampled could be accepted.
    private func checkDrafts(_ batch: ScheduledBatch, _ offers: [SequenceID: Int]) throws(Failure) {
        let all = batch.sequences.reduce(0) { $0 + $1.drafts }
        try expect(all <= scheduler.limits.maxDraftTokens, "\(all) drafts are verified")
        for scheduled in batch.sequences where scheduled.drafts > 0 {
            guard let script = live.first(where: { $0.id == scheduled.id }) else { continue }
            try expect(scheduled.drafts <= offers[scheduled.id] ?? 0, "\(script.id) has drafts that were not offered")
            try expect(
                scheduled.samples && script.remainingTokens == 1, "\(script.id) has drafts and does not decode")
            try expect(
                script.sampledTokens + scheduled.drafts < script.maxTokens, "\(script.id) may sample beyond its limit")
        }
    }

    /// A sequence starts after its cached prefix, which consists of whole logical blocks and never includes all tokens.
    private mutating func begin(_ index: Int, hit: Int) throws(Failure) {
        let id = live[index].id
        try expect(hit % geometry.blockSize == 0 && hit < live[index].tokens.count, "\(id) starts at \(hit)")
        try expect(cachesPrefixes || hit == 0, "\(id) starts at \(hit) without a cache")
        if hit > 0 {
            hits.all += 1
            if live[index].runs > 0 { hits.afterPreemption += 1 }
            if geometry.firstSlidingLogicalBlock(forQueryAt: hit) > 0 { hits.behindWindow += 1 }
            if id.rawValue >= 100 { hits.ofConversation += 1 }
        }
        live[index].runs += 1
        live[index].isRunning = true
        live[index].computedTokens = hit
        live[index].contents = []
    }

    private func work(of batch: ScheduledBatch, _ here: [Script]) -> StepWork {
        var work = StepWork()
        for scheduled in batch.sequences {
            guard let script = live.first(where: { $0.id == scheduled.id }) else { continue }
            let isDecode = script.tokens.count - scheduled.tokens.lowerBound == 1
            work.decodeTokens += isDecode ? scheduled.tokens.count : 0
            work.prefillTokens += isDecode ? 0 : scheduled.tokens.count
            work.attentionPairs += scheduled.tokens.reduce(0) { $0 + $1 + 1 }
        }
        return work
    }
}
