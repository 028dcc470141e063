// How a step is filled: rules 2 to 8 of ``Scheduler``.

extension Scheduler {
    /// What is left of a step for prefills.
    private struct PrefillBudget {
        var tokens: Int
        /// `nil`: whatever the tokens take.
        var time: Duration?
        /// The step so far: all decodes, and the chunks that were given out.
        var work: StepWork
    }

    /// Fills the step: decodes and the first prefill in line by rank, then the other prefills, then drafts.
    mutating func plan(_ batch: inout ScheduledBatch, drafts: [SequenceID: Int]) {
        var budget = prefillBudget()
        let next = waiting.prefix(1, shares).first
        let first = running.first { sequences[$0]?.isPrefill == true }
        var index = 0
        while index < running.count {  // preemption shortens `running` from the end
            let id = running[index]
            if id == first {
                extend(id, by: firstChunk(of: id, budget, in: batch), preempts: true, &budget, in: &batch)
            } else if let state = sequences[id], !state.isPrefill {
                schedule(id, by: 1, preempts: true, in: &batch)
            }
            index += 1
        }
        // Who was just preempted does not come back at once.
        var admits = batch.preempted.isEmpty
        if admits, budget.tokens > 0, let next, first.map({ rank(next) < rank($0) }) ?? true {
            admits = admit(next, in: &batch)
            extend(next, by: firstChunk(of: next, budget, in: batch), preempts: false, &budget, in: &batch)
        }
        for id in prefills(admits: admits) where budget.tokens > 0 {
            let chunk = chunk(of: id, budget, in: batch)
            guard chunk > 0 else { continue }
            if sequences[id]?.status == .waiting {
                if admits { admits = admit(id, in: &batch) }
                guard admits else { continue }
            }
            extend(id, by: chunk, preempts: false, &budget, in: &batch)
        }
        if !drafts.isEmpty { addDrafts(drafts, &budget, in: &batch) }
    }

    /// Adds guesses to decodes, as far as budgets and blocks go (rule 8).
    private mutating func addDrafts(
        _ drafts: [SequenceID: Int], _ budget: inout PrefillBudget, in batch: inout ScheduledBatch
    ) {
        var left = limits.maxDraftTokens
        for index in batch.sequences.indices {
            let scheduled = batch.sequences[index]
            guard let offered = drafts[scheduled.id], scheduled.samples, let state = sequences[scheduled.id],
                !state.isPrefill
            else { continue }
            // One more token is sampled than drafts are accepted.
            var count = min(
                offered, left, budget.tokens, state.tokenLimit - state.tokens - 1,
                cache.allocatableTokens(scheduled.id) - state.tokens)
            while count > 0 {
                var work = budget.work
                work.add(state.tokens..<state.tokens + count, isDecode: true)
                if budget.time.map({ stepTimes.time(work) <= $0 }) ?? true {
                    budget.work = work
                    break
                }
                count -= 1
            }
            guard count > 0 else { continue }
            cache.allocate(scheduled.id, upTo: state.tokens + count)
            batch.sequences[index].tokens = scheduled.tokens.lowerBound..<state.tokens + count
            batch.sequences[index].drafts = count
            budget.tokens -= count
            left -= count
        }
    }

    /// Prompt tokens a second that a step beside the running decodes computes.
    var prefillRate: Double? {
        guard stepTimes.knowsPrefill else { return nil }
        let budget = prefillBudget()
        var work = budget.work
        var tokens = max(1, budget.tokens)
        if let time = budget.time {
            let fitting = stepTimes.prefillTokens(from: 0, atMost: tokens, beside: work, within: time)
            tokens = max(min(limits.minimumChunk, tokens), fitting)
        }
        work.add(0..<tokens, isDecode: false)
        let seconds = stepTimes.time(work) / .seconds(1)
        return seconds > 0 ? Double(tokens) / seconds : nil
    }

    /// What the decodes leave (rule 2).
    private func prefillBudget() -> PrefillBudget {
        var decodes = StepWork()
        for id in running {
            guard let state = sequences[id], state.remainingTokens == 1 else { continue }
            decodes.add(state.computedTokens..<state.tokens, isDecode: true)
        }
        var time = limits.maxInterTokenLatency
        if decodes.decodeTokens == 0 { time = nil }
        return PrefillBudget(
            tokens: limits.maxBatchedTokens - decodes.decodeTokens,
            time: time.map { max($0, stepTimes.time(decodes) * 1.5) }, work: decodes)
    }

    /// Those that have more than a decode to compute, and the waiting ones for whom there is a place, in the order of rule 4.
    private func prefills(admits: Bool) -> [SequenceID] {
        var candidates = running.filter { sequences[$0]?.isPrefill == true }
        if admits { candidates += waiting.prefix(limits.places - running.count, shares) }
        let orders = candidates.map { id in
            guard let state = sequences[id] else { preconditionFailure("a listed sequence is known") }
            let computed = state.status == .running ? state.computedTokens : state.expectedHit
            return (state.terms.priority, shares.served(state.terms.tenant), state.tokens - computed, id)
        }
        return orders.sorted { $0 < $1 }.map(\.3)
    }

    /// The tokens that the budget has for a sequence.
    private func chunk(of id: SequenceID, _ budget: PrefillBudget, in batch: ScheduledBatch) -> Int {
        guard let state = sequences[id] else { preconditionFailure("a listed sequence is known") }
        let start = batch.end(of: id) ?? (state.status == .running ? state.computedTokens : state.expectedHit)
        let wanted = min(state.tokens - start, budget.tokens)
        guard let time = budget.time else { return wanted }
        return stepTimes.prefillTokens(from: start, atMost: wanted, beside: budget.work, within: time)
    }

    /// The tokens that are kept for the first prefill in line.
    private func firstChunk(of id: SequenceID, _ budget: PrefillBudget, in batch: ScheduledBatch) -> Int {
        min(max(limits.minimumChunk, chunk(of: id, budget, in: batch) / 4), budget.tokens)
    }

    /// Schedules tokens of a prefill and takes them off the budget.
    private mutating func extend(
        _ id: SequenceID, by tokens: Int, preempts: Bool, _ budget: inout PrefillBudget, in batch: inout ScheduledBatch
    ) {
        guard let added = schedule(id, by: tokens, preempts: preempts, in: &batch) else { return }
        budget.tokens -= added.count
        budget.work.add(added, isDecode: false)
    }

    /// Schedules up to `tokens` more tokens of a running sequence, as far as blocks allow (rule 5); returns which.
    ///
    ///     0 ........ computedTokens ........ end ........ tokens
    ///     | in the cache   | this step's chunk | later    |
    @discardableResult private mutating func schedule(
        _ id: SequenceID, by tokens: Int, preempts: Bool, in batch: inout ScheduledBatch
    ) -> Range<Int>? {
        guard let state = sequences[id], state.status == .running else { return nil }
        let start = batch.end(of: id) ?? state.computedTokens
        let wanted = min(state.tokens - start, tokens)
        guard wanted > 0 else { return nil }  // its next token is not sampled yet
        while preempts, !cache.canAllocate(id, upTo: start + 1), let last = running.last, last != id {
            preempt(last, in: &batch)
        }
        let end = min(start + wanted, cache.allocatableTokens(id))
        guard end > start else { return nil }
        cache.allocate(id, upTo: end)
        batch.extend(id, start..<end, samples: end == state.tokens)
        return start..<end
    }

    /// Takes the blocks from the running sequence of the last rank and lets it wait (rule 6).
    private mutating func preempt(_ id: SequenceID, in batch: inout ScheduledBatch) {
        guard var state = sequences[id] else { preconditionFailure("a running sequence is known") }
        running.removeLast()
        waiting.insert(id, state.terms)
        cache.release(id, computedTokens: state.computedTokens, hashes: state.prefix.hashes)
        state.status = .waiting
        state.computedTokens = 0
        state.expectedHit = prefixHit(of: state).slots * cache.geometry.blockSize
        sequences[id] = state
        counts.preemptions += 1
        batch.preempted.append(id)
    }

    /// Lets a waiting sequence run if there is a place and the blocks, and the next in the queue lacks none (rule 7).
    private mutating func admit(_ id: SequenceID, in batch: inout ScheduledBatch) -> Bool {
        guard let next = waiting.prefix(1, shares).first, canAdmit(next), next == id || canAdmit(id),
            var state = sequences[id]
        else { return false }
        waiting.remove(id, state.terms)
        running.insert(id, at: running.firstIndex { rank(id) < rank($0) } ?? running.endIndex)
        let hit = prefixHit(of: state)
        cache.start(id, hit: hit, hashes: state.prefix.hashes)
        state.computedTokens = hit.slots * cache.geometry.blockSize
        if !state.wasAdmitted {
            batch.admitted.append(AdmittedSequence(id: id, cachedTokens: state.computedTokens, cut: hit.cut))
            if cache.prefixes != nil, state.takesPrefix { counts.prefixQueries += UInt64(state.tokens) }
            counts.prefixHits += UInt64(state.computedTokens)
        }
        state.wasAdmitted = true
        state.status = .running
        sequences[id] = state
        return true
    }

    /// Whether there is a place for a waiting sequence, and blocks for all its tokens and the watermark (rule 7).
    private func canAdmit(_ id: SequenceID) -> Bool {
        if running.isEmpty { return true }
        guard running.count < limits.places, let state = sequences[id] else { return false }
        let watermark = (running.count + 1) * cache.geometry.blocksPerSlot
        var needed = blocks(for: state) - prefixHit(of: state).sharedBlocks + watermark
        for id in running {
            guard let state = sequences[id], state.isPrefill else { continue }
            needed += max(0, blocks(for: state) - cache.heldBlocks(id))
        }
        return needed <= cache.availableBlocks
    }

    /// The most blocks that the sequence holds while its tokens are computed.
    private func blocks(for state: SequenceState) -> Int {
        cache.geometry.peakBlocks(tokens: state.tokens, chunk: limits.maxBatchedTokens)
    }

    /// What the prefix cache has now of a sequence that takes it.
    func prefixHit(of state: SequenceState) -> KVCacheManager.PrefixHit {
        guard state.takesPrefix else { return KVCacheManager.PrefixHit(cut: cache.prefixes == nil ? nil : .notTaken) }
        return cache.prefixHit(state.prefix.hashes, tokens: state.tokens)
    }

    /// What sequences are ordered by (rule 1).
    func rank(_ id: SequenceID) -> (Int, SequenceID) {
        (sequences[id]?.terms.priority ?? 0, id)
    }
}

extension ScheduledBatch {
    /// How far the step computes a sequence; `nil` when it is not in it.
    fileprivate func end(of id: SequenceID) -> Int? {
        sequences.last { $0.id == id }?.tokens.upperBound
    }

    /// Adds tokens that follow those that the step computes of the sequence already.
    fileprivate mutating func extend(_ id: SequenceID, _ tokens: Range<Int>, samples: Bool) {
        if let index = sequences.lastIndex(where: { $0.id == id }) {
            sequences[index].tokens = sequences[index].tokens.lowerBound..<tokens.upperBound
            sequences[index].samples = samples
        } else {
            sequences.append(ScheduledSequence(id: id, tokens: tokens, samples: samples))
        }
    }
}
