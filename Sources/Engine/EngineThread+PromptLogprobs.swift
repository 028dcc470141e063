import Scheduling

extension EngineThread {
    /// Returns the rows of a step whose logits give the log-probability of a prompt's next token, if those are requested.
    func promptRows(_ scheduled: ScheduledBatch) -> [PromptRow] {
        var rows: [PromptRow] = []
        var firstRow = 0
        for entry in scheduled.sequences {
            defer { firstRow += entry.tokens.count }
            guard let request = sequences[entry.id]?.request, let top = request.promptLogprobs else { continue }
            // After a preemption the prompt is computed again, but reported only once.
            let known = sequences[entry.id]?.promptLogprobs ?? 0
            for position in entry.tokens where position >= known && position + 1 < request.promptIDs.count {
                rows.append(
                    PromptRow(
                        sequence: entry.id, row: firstRow + position - entry.tokens.lowerBound,
                        token: request.promptIDs[position + 1], top: top))
                sequences[entry.id]?.promptLogprobs = position + 1
            }
        }
        return rows
    }

    /// Adds the log-probabilities of prompts to the step's events. The LM head runs for as many rows at a time as fit in its
    /// buffer.
    func reportPrompts(_ rows: [PromptRow], in events: inout [SequenceID: TokenEvent]) {
        let vocabularySize = model.config.vocabularySize
        for start in stride(from: 0, to: rows.count, by: transformer.maxLogitRows) {
            let part = Array(rows[start..<min(start + transformer.maxLogitRows, rows.count)])
            let logits = transformer.logits(of: part.map(\.row))
            var results = [Result<TokenLogprobs, SamplerError>](repeating: .failure(.notFinite), count: part.count)
            results.withUnsafeMutableBufferPointer { results in
                pool.parallelFor(chunks: part.count) { index in
                    let row = logits.extracting(index * vocabularySize..<(index + 1) * vocabularySize)
                    results[index] = Result { () throws(SamplerError) in
                        try TokenLogprobs(of: part[index].token, logits: row, top: part[index].top)
                    }
                }
            }
            for (row, result) in zip(part, results) {
                var event = events[row.sequence] ?? TokenEvent(sequence: row.sequence)
                switch result {
                case .success(let logprobs): event.promptLogprobs.append(logprobs)
                case .failure(let error):
                    event.finish = .error(String(describing: error))
                    finish(row.sequence, event: &event)
                }
                events[row.sequence] = event
            }
        }
    }
}

/// A row of a step whose logits give the log-probability of the token after it.
struct PromptRow {
    var sequence: SequenceID
    var row: Int
    /// The prompt's next token.
    var token: Int32
    /// The number of alternatives to report.
    var top: Int
}
