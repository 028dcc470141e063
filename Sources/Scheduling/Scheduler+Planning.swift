// Plans a step: rules 2 to 8 and 11 of ``Scheduler``.

/// A step that is being planned.
struct StepPlan {
    var batch: ScheduledBatch
    /// The sequences that cannot sample in this step.
    let deferred: Set<SequenceID>
    /// The index of each sequence in the batch.
    private var indexes: [SequenceID: Int] = [:]
    /// The number of blocks that the running prefills still need for all their tokens. It is computed when first needed.
    var prefillBlocks: Int?
    /// The number of full logical blocks of the sequences admitted in this step.
    var admittedLogicalBlocks = 0

    init(_ batch: ScheduledBatch, deferred: Set<SequenceID>) {
        self.batch = batch
        self.deferred = deferred
    }

    /// Returns the end of the sequence's tokens in this step, or `nil` if the sequence is not part of the step. O(1).
    func end(of id: SequenceID) -> Int? { indexes[id].map { batch.sequences[$0].tokens.upperBound } }

    /// Adds tokens that follow the sequence's tokens in this step. O(1).
    mutating func extend(_ id: SequenceID, _ tokens: Range<Int>, samples: Bool) {
        if let index = indexes[id] {
            batch.sequences[index].tokens = batch.sequences[index].tokens.lowerBound..<tokens.upperBound
            batch.sequences[index].samples = samples
        } else {
            indexes[id] = batch.sequences.count
            batch.sequences.append(ScheduledSequence(id: id, tokens: tokens, samples: samples))
        }
    }

    /// Returns the end of the tokens that the step may compute. The last token of a deferred sequence must wait.
    func reach(_ id: SequenceID, _ state: SequenceState) -> Int { state.tokens - (deferred.contains(id) ? 1 : 0) }
}

extension Scheduler {
    /// The number of steps for which a deferred sequence keeps running although another one waits for admission. Its mask usually
    /// arrives within one or two steps, and recomputing the sequence costs more.
    private static let deferralPatience = 8
    /// The maximum number of full logical blocks after which a step admits no more sequences. For each logical block, the engine
    /// thread spends time on the lookup in the prefix cache and on allocation.
    static let mostAdmittedLogicalBlocks = 4096

    /// The remaining budget of a step for prefills.
    private struct PrefillBudget {
        var tokens: Int
        /// The maximum time of the step, or `nil` for no limit.
        var time: Duration?
        /// The maximum time of a step with drafts, or `nil` for no limit.
        var draftTime: Duration?
        /// The step so far: all decodes, and the assigned chunks.
        var work: StepWork
    }

    /// Plans the step: decodes and the first prefill in line in order of rank, then the other prefills, then drafts.
    mutating func plan(_ batch: inout ScheduledBatch, drafts: [SequenceID: Int], deferred: Set<SequenceID>) {
        var plan = StepPlan(batch, deferred: deferred)
        defer { batch = plan.batch }
        var budget = prefillBudget(deferred)
        let next = firstWaiting(plan)
        let first = running.first { sequences[$0]?.isPrefill == true }
        var decodes = mostDecodes
        for id in running {  // a copy: sequences that are preempted in the loop are skipped
            if id == first {
                extend(id, by: firstChunk(of: id, budget, plan), preempts: true, &budget, in: &plan)
            } else if let state = sequences[id], !state.isPrefill, decodes > 0 {
                if schedule(id, by: 1, preempts: true, in: &plan) != nil { decodes -= 1 }
            }
        }
        // A sequence that was just preempted is not admitted again at once.
        var admits = plan.batch.preempted.isEmpty
        if admits, budget.tokens > 0, let next {
            makeRoom(for: next, patience: plan.batch.sequences.isEmpty ? 0 : Self.deferralPatience, in: &plan)
        }
        if admits, budget.tokens > 0, let next, first.map({ rank(next) < rank($0) }) ?? true {
            admits = admit(next, in: &plan)
            extend(next, by: firstChunk(of: next, budget, plan), preempts: false, &budget, in: &plan)
        }
        for id in prefills(plan, admits: admits) where budget.tokens > 0 {
            let chunk = chunk(of: id, budget, plan)
            guard chunk > 0 else { continue }
            if sequences[id]?.status == .waiting {
                if admits { admits = admit(id, in: &plan) }
                guard admits else { continue }
            }
            extend(id, by: chunk, preempts: false, &budget, in: &plan)
        }
        if !drafts.isEmpty { addDrafts(drafts, &budget, in: &plan.batch) }
    }

    /// Adds draft tokens to decodes, within the budgets and the available blocks (rule 8).
    private mutating func addDrafts(
        _ drafts: [SequenceID: Int], _ budget: inout PrefillBudget, in batch: inout ScheduledBatch
    ) {
        var left = limits.maxDraftTokens
        for index in batch.sequences.indices {
            let scheduled = batch.sequences[index]
            guard let offered = drafts[scheduled.id], scheduled.samples, let state = sequences[scheduled.id],
                !state.isPrefill
            else { continue }
            // The step samples one token more than the accepted drafts.
            var count = min(
                offered, left, budget.tokens, state.tokenLimit - state.tokens - 1,
                cache.allocatableTokens(scheduled.id) - state.tokens)
            while count > 0 {
                var work = budget.work
                work.add(state.tokens..<state.tokens + count, isDecode: true)
                if budget.draftTime.map({ stepTimes.time(work) <= $0 }) ?? true {
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

    /// The number of prompt tokens per second that a step computes in addition to the running decodes.
    var prefillRate: Double? {
        guard stepTimes.knowsPrefill else { return nil }
        let budget = prefillBudget([])
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

    /// The maximum number of decodes in one batch (rule 12).
    private var mostDecodes: Int {
        guard maxBatchesInFlight > 1 else { return .max }
        let decoding = running.count { id in sequences[id].map { $0.tokens - $0.computedTokens <= 1 } ?? false }
        return (decoding + maxBatchesInFlight - 1) / maxBatchesInFlight
    }

    /// Returns the budget that remains after the decodes (rule 2).
    private func prefillBudget(_ deferred: Set<SequenceID>) -> PrefillBudget {
        var (decodes, inFlight) = (StepWork(), StepWork())
        var mostUrgent = Int.max
        let most = mostDecodes
        for id in running {
            guard let state = sequences[id], !deferred.contains(id) else { continue }
            if state.remainingTokens == 1 {
                if decodes.decodeTokens < most { decodes.add(state.scheduledTokens..<state.tokens, isDecode: true) }
            } else if isInFlight(id), state.tokens - state.computedTokens == 1 {
                if inFlight.decodeTokens < most { inFlight.add(state.computedTokens..<state.tokens, isDecode: true) }
            } else {
                continue
            }
            mostUrgent = min(mostUrgent, state.parameters.priority)
        }
        // If all decodes are in flight, they still wait for this step, because a stage computes one step at a time.
        let streams = decodes.decodeTokens > 0 ? decodes : inFlight
        let tokens = limits.maxBatchedTokens - decodes.decodeTokens
        guard streams.decodeTokens > 0 else {
            return PrefillBudget(tokens: min(tokens, stepTokens), time: nil, draftTime: nil, work: decodes)
        }
        let demand = PrefillDemand(
            decodes: streams, decoding: streams.decodeTokens, waiting: waitingSequences(notAfter: mostUrgent),
            tokens: tokens)
        let time = demand.stepTime(limits.prefillPolicy, stepTimes)
        return PrefillBudget(
            tokens: tokens, time: time, draftTime: time.map { limits.prefillPolicy.draftTime(for: $0) }, work: decodes)
    }

    /// Returns the number of sequences that prefill or may be admitted now, and whose priority value is at most `priority`: less
    /// urgent prompts do not slow down streams. Prefills that need more than one step are counted separately from the others, and
    /// the larger number is returned. O(running + lanes of the queue).
    private func waitingSequences(notAfter priority: Int) -> Int {
        var (short, long) = (min(waiting.count(notAfter: priority), limits.maxRunning - running.count), 0)
        for id in running {
            guard let state = sequences[id], state.isPrefill, state.parameters.priority <= priority else { continue }
            if state.remainingTokens > limits.maxBatchedTokens { long += 1 } else { short += 1 }
        }
        return max(short, long)
    }

    /// Returns the prefilling sequences, and as many waiting sequences as may still run, in the order of rule 4.
    private func prefills(_ plan: StepPlan, admits: Bool) -> [SequenceID] {
        var candidates = running.filter { sequences[$0]?.isPrefill == true }
        if admits { candidates += waiting.prefix(limits.maxRunning - running.count, shares, deferred: plan.deferred) }
        let orders = candidates.map { id in
            guard let state = sequences[id] else { preconditionFailure("a listed sequence is known") }
            let computed = state.status == .running ? state.scheduledTokens : state.expectedHit
            return (state.parameters.priority, shares.served(state.parameters.tenant), state.tokens - computed, id)
        }
        return orders.sorted { $0 < $1 }.map(\.3)
    }

    /// Returns the number of tokens that the budget allows for a sequence.
    private func chunk(of id: SequenceID, _ budget: PrefillBudget, _ plan: StepPlan) -> Int {
        guard let state = sequences[id] else { preconditionFailure("a listed sequence is known") }
        let start = plan.end(of: id) ?? (state.status == .running ? state.scheduledTokens : state.expectedHit)
        let wanted = min(plan.reach(id, state) - start, budget.tokens)
        guard wanted > 0 else { return 0 }
        guard let time = budget.time else { return wanted }
        return stepTimes.prefillTokens(from: start, atMost: wanted, beside: budget.work, within: time)
    }

    /// Returns the number of tokens that are reserved for the first prefill in line.
    private func firstChunk(of id: SequenceID, _ budget: PrefillBudget, _ plan: StepPlan) -> Int {
        min(max(limits.minimumChunk, chunk(of: id, budget, plan) / 4), budget.tokens)
    }

    /// Schedules tokens of a prefill and subtracts them from the budget.
    private mutating func extend(
        _ id: SequenceID, by tokens: Int, preempts: Bool, _ budget: inout PrefillBudget, in plan: inout StepPlan
    ) {
        guard let added = schedule(id, by: tokens, preempts: preempts, in: &plan) else { return }
        budget.tokens -= added.count
        budget.work.add(added, isDecode: false)
    }

    /// Schedules up to `tokens` more tokens of a running sequence, as far as the available blocks allow (rule 5). Returns their
    /// range, or `nil` if there are none.
    ///
    ///     0 ........ scheduledTokens ........ end ........ tokens
    ///     | in the cache    | this step's chunk | later    |
    @discardableResult private mutating func schedule(
        _ id: SequenceID, by tokens: Int, preempts: Bool, in plan: inout StepPlan
    ) -> Range<Int>? {
        guard let state = sequences[id], state.status == .running else { return nil }
        let start = plan.end(of: id) ?? state.scheduledTokens
        let wanted = min(plan.reach(id, state) - start, tokens)
        guard wanted > 0 else { return nil }  // its next token has not been sampled yet
        while preempts, !cache.canAllocate(id, upTo: start + 1), let victim = victim(for: id, plan) {
            preempt(victim, in: &plan)
        }
        let end = min(start + wanted, cache.allocatableTokens(id))
        guard end > start else { return nil }
        let needed = state.isPrefill ? neededBlocks(id, state) : 0
        cache.allocate(id, upTo: end)
        if state.isPrefill { plan.prefillBlocks? += neededBlocks(id, state) - needed }
        plan.extend(id, start..<end, samples: end == state.tokens)
        return start..<end
    }

    /// Returns the sequence to preempt for `id`: the last deferred sequence that has nothing to compute, or otherwise the last
    /// sequence that ranks after `id`.
    private func victim(for id: SequenceID, _ plan: StepPlan) -> SequenceID? {
        if let deferred = lastDeferred(plan, patience: 0) { return deferred }
        let last = running.last { !isInFlight($0) }
        return last.flatMap { rank(id) < rank($0) ? $0 : nil }
    }

    /// Returns the last running sequence that has been deferred for more than `patience` steps and has nothing to compute.
    private func lastDeferred(_ plan: StepPlan, patience: Int) -> SequenceID? {
        guard !plan.deferred.isEmpty else { return nil }
        return running.last { id in
            guard plan.deferred.contains(id), let state = sequences[id] else { return false }
            return state.remainingTokens == 1 && !isInFlight(id) && state.deferredSteps > patience
        }
    }

    /// Preempts sequences that have been deferred for more than `patience` steps until a waiting one can be admitted (rule 11).
    private mutating func makeRoom(for id: SequenceID, patience: Int, in plan: inout StepPlan) {
        while !canAdmit(id, &plan), let deferred = lastDeferred(plan, patience: patience) {
            preempt(deferred, in: &plan)
        }
    }

    /// Returns the next sequence in the queue that is not deferred.
    private func firstWaiting(_ plan: StepPlan) -> SequenceID? {
        waiting.prefix(1, shares, deferred: plan.deferred).first
    }

    /// Frees the blocks of a running sequence that the step does not compute, and moves it to the queue (rule 6).
    private mutating func preempt(_ id: SequenceID, in plan: inout StepPlan) {
        guard var state = sequences[id] else { preconditionFailure("a running sequence is known") }
        precondition(plan.end(of: id) == nil && !isInFlight(id), "a sequence that is computed is not preempted")
        removeRunning(id, state)
        if state.isPrefill { plan.prefillBlocks? -= neededBlocks(id, state) }
        waiting.insert(id, state.parameters)
        cache.release(id, computedTokens: state.computedTokens, hashes: state.prefix.hashes)
        state.status = .waiting
        state.computedTokens = 0
        state.expectedHit = prefixHit(of: state).logicalBlocks * cache.geometry.blockSize
        sequences[id] = state
        counts.preemptions += 1
        plan.batch.preempted.append(id)
    }

    /// Admits a waiting sequence if one more may run, there are enough blocks for it, and there are enough blocks for the next
    /// sequence in the queue (rule 7). Returns whether it was admitted.
    private mutating func admit(_ id: SequenceID, in plan: inout StepPlan) -> Bool {
        guard plan.admittedLogicalBlocks < Self.mostAdmittedLogicalBlocks, let next = firstWaiting(plan),
            canAdmit(next, &plan),
            next == id || canAdmit(id, &plan),
            var state = sequences[id]
        else { return false }
        waiting.remove(id, state.parameters)
        running.insert(id, at: runningIndex(ofRank: (state.parameters.priority, id)))
        let hit = prefixHit(of: state)
        cache.start(id, hit: hit, hashes: state.prefix.hashes)
        plan.admittedLogicalBlocks += state.prefix.hashes.count
        state.computedTokens = hit.logicalBlocks * cache.geometry.blockSize
        if !state.wasAdmitted {
            plan.batch.admitted.append(
                AdmittedSequence(id: id, cachedTokens: state.computedTokens, missReason: hit.missReason))
            if cache.prefixes != nil, state.takesPrefix { counts.prefixQueries += UInt64(state.tokens) }
            counts.prefixHits += UInt64(state.computedTokens)
        }
        state.wasAdmitted = true
        state.status = .running
        sequences[id] = state
        if state.isPrefill { plan.prefillBlocks? += neededBlocks(id, state) }
        return true
    }

    /// Returns whether one more sequence may run and there are blocks for all its tokens and for the watermark (rule 7).
    private func canAdmit(_ id: SequenceID, _ plan: inout StepPlan) -> Bool {
        if running.isEmpty { return true }
        guard running.count < limits.maxRunning, let state = sequences[id] else { return false }
        let watermark = (running.count + 1) * cache.geometry.blocksPerLogicalBlock
        // Computed once per step, and updated from then on.
        let prefillBlocks = plan.prefillBlocks ?? neededBlocksOfPrefills
        plan.prefillBlocks = prefillBlocks
        let needed = blocks(for: state) - prefixHit(of: state).sharedBlocks + watermark + prefillBlocks
        return needed <= cache.availableBlocks
    }

    /// The number of blocks that all running prefills still need. O(running).
    private var neededBlocksOfPrefills: Int {
        running.reduce(0) { sum, id in
            guard let state = sequences[id], state.isPrefill else { return sum }
            return sum + neededBlocks(id, state)
        }
    }

    /// Returns the number of blocks that a running prefill still needs for all its tokens.
    private func neededBlocks(_ id: SequenceID, _ state: SequenceState) -> Int {
        max(0, blocks(for: state) - cache.allocatedBlocks(id))
    }

    /// Returns the maximum number of blocks that the sequence uses while its tokens are computed.
    private func blocks(for state: SequenceState) -> Int {
        cache.geometry.peakBlocks(tokens: state.tokens, chunk: limits.maxBatchedTokens)
    }

    /// Returns the cached prefix of a sequence, which is empty if the sequence does not use the cache.
    func prefixHit(of state: SequenceState) -> KVCacheManager.PrefixHit {
        guard state.takesPrefix else {
            return KVCacheManager.PrefixHit(missReason: cache.prefixes == nil ? nil : .notTaken)
        }
        return cache.prefixHit(state.prefix.hashes, tokens: state.tokens)
    }

    /// Removes a running sequence. O(log(running)) comparisons.
    mutating func removeRunning(_ id: SequenceID, _ state: SequenceState) {
        let index = runningIndex(ofRank: (state.parameters.priority, id))
        precondition(index < running.count && running[index] == id, "a running sequence is listed by rank")
        running.remove(at: index)
    }

    /// Returns the index of the running sequence with this rank, or the index at which it would be inserted.
    private func runningIndex(ofRank rank: (Int, SequenceID)) -> Int {
        var (low, high) = (0, running.count)
        while low < high {
            let middle = (low + high) / 2
            // The sequence itself may already be removed from `sequences`. It does not rank before itself.
            if running[middle] != rank.1, self.rank(running[middle]) < rank { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Returns the sort key of a sequence (rule 1).
    func rank(_ id: SequenceID) -> (Int, SequenceID) {
        (sequences[id]?.parameters.priority ?? 0, id)
    }
}
