import Scheduling

/// Support for sequences that request the hidden states of the prompt and no tokens.
extension EngineThread {
    /// Returns whether the sequence requests an embedding. No token is sampled for it, so its logits are not computed.
    func isEmbedding(_ id: SequenceID) -> Bool { sequences[id]?.hiddenStates != nil }

    /// Adds the hidden states of the step's tokens to the means of their sequences.
    func addHiddenStates(_ scheduled: ScheduledBatch) {
        var firstRow = 0
        for entry in scheduled.sequences {
            defer { firstRow += entry.tokens.count }
            guard var states = sequences[entry.id]?.hiddenStates else { continue }
            // Removes the second reference, so that the sum is changed in place.
            sequences[entry.id]?.hiddenStates = nil
            let first = max(entry.tokens.lowerBound, states.tokens) - entry.tokens.lowerBound
            transformer.forEachFinalHidden(
                of: firstRow + min(first, entry.tokens.count)..<firstRow + entry.tokens.count
            ) {
                states.add($0)
            }
            sequences[entry.id]?.hiddenStates = states
        }
    }
}
