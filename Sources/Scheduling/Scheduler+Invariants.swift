extension Scheduler {
    /// Returns a description of the first violated invariant, or `nil` if there is none. O(blocks of the pool + blocks of all
    /// tables).
    public func violatedInvariant() -> String? {
        if let violation = cache.violatedInvariant() { return violation }
        if running.count > limits.maxRunning { return "\(running.count) sequences run" }
        let waiting = waiting.ids
        let known = running + waiting
        for (before, after) in zip(running, running.dropFirst()) where rank(before) >= rank(after) {
            return "\(after) runs after \(before), and ranks before it"
        }
        if waiting.count != self.waiting.count { return "\(self.waiting.count) are counted, \(waiting.count) wait" }
        if Set(known).count != known.count { return "a sequence is listed twice" }
        if Set(known) != Set(sequences.keys) { return "a sequence is neither running nor waiting" }
        for id in waiting {
            guard let state = sequences[id], state.status == .waiting, state.computedTokens == 0,
                cache.sequences[id] == nil
            else { return "\(id) waits and is not reset" }
        }
        for id in running {
            guard let state = sequences[id], state.status == .running else { return "\(id) runs and is not marked so" }
            if (state.inFlightEnd == nil) != (state.batchesInFlight == 0)
                || state.scheduledTokens < state.computedTokens
            {
                return "\(id) is in \(state.batchesInFlight) batches in flight, until \(state.inFlightEnd ?? -1)"
            }
            if state.remainingTokens < 0 || state.tokens > state.tokenLimit { return "\(id) has too many tokens" }
            let logicalBlocks = cache.sequences[id]?.logicalBlocks ?? 0
            if logicalBlocks * cache.geometry.blockSize < state.scheduledTokens {
                return "\(id) lacks logical blocks of scheduled tokens"
            }
            let firstLogicalBlock = min(
                logicalBlocks, cache.geometry.firstSlidingLogicalBlock(forQueryAt: state.computedTokens))
            if let first = cache.sequences[id]?.firstSlidingLogicalBlock, first != firstLogicalBlock {
                return "\(id) has its window from logical block \(first), not from \(firstLogicalBlock)"
            }
        }
        if cache.sequences.count > running.count { return "blocks are allocated to a sequence that does not run" }
        return nil
    }

    /// Traps if a sequence is lost, or if blocks are allocated that no running sequence needs.
    public func checkInvariants() {
        let violation = violatedInvariant()
        precondition(violation == nil, violation ?? "")
    }
}
