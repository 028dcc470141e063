import Scheduling

/// Sequences for which the prompt's hidden states are requested, and no tokens.
extension EngineThread {
    /// Whether no token is sampled for a sequence, so that its logits are not computed.
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
