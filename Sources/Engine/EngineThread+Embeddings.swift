import Scheduling

/// Sequences of which the prompt's hidden states are wanted, and no token.
extension EngineThread {
    /// Whether nothing is sampled for a sequence, so that no logits are computed for it.
    func isEmbedding(_ id: SequenceID) -> Bool { sequences[id]?.hiddenStates != nil }

    /// Adds the states of the tokens that a step has computed to the means that are wanted.
    func addHiddenStates(_ scheduled: ScheduledBatch) {
        var firstRow = 0
        for entry in scheduled.sequences {
            defer { firstRow += entry.tokens.count }
            guard var states = sequences[entry.id]?.hiddenStates else { continue }
            // Without a second reference to it, its sum changes in place.
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
