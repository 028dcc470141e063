import Synchronization

/// Samples all sequences of a step over the worker threads. A row's result depends on nothing but the row and its
/// sequence, so it does not matter which thread takes it.
final class BatchSampler {
    private let vocabularySize: Int
    private let pool: WorkerPool
    /// Scratch memory, one for each thread.
    private let samplers: [Sampler]

    init(vocabularySize: Int, pool: WorkerPool) {
        self.vocabularySize = vocabularySize
        self.pool = pool
        samplers = (0..<pool.threads).map { _ in Sampler(vocabularySize: vocabularySize) }
    }

    /// Bytes of scratch memory that `init` allocates.
    static func bytes(vocabularySize: Int, threads: Int) -> Int {
        threads * Sampler.bytes(vocabularySize: vocabularySize)
    }

    /// One result for each of `sequences`, whose rows are those of `logits` (sequences, vocabularySize); `nil` for one that
    /// is gone or wants no tokens.
    func sample(
        _ sequences: [GeneratingSequence?], _ logits: UnsafeBufferPointer<Float>
    ) -> [Result<SampledToken, SamplerError>?] {
        var results = [Result<SampledToken, SamplerError>?](repeating: nil, count: sequences.count)
        let next = Atomic(0)
        results.withUnsafeMutableBufferPointer { results in
            // A chunk is a sampler, which takes rows as long as there are some.
            pool.parallelFor(chunks: min(samplers.count, sequences.count)) { worker in
                while true {
                    let row = next.add(1, ordering: .relaxed).oldValue
                    guard row < sequences.count else { return }
                    results[row] = sequences[row].flatMap { sample($0, row, logits, samplers[worker]) }
                }
            }
        }
        return results
    }

    private func sample(
        _ sequence: GeneratingSequence, _ row: Int, _ logits: UnsafeBufferPointer<Float>, _ sampler: Sampler
    ) -> Result<SampledToken, SamplerError>? {
        let request = sequence.request
        guard request.maxTokens > 0 else { return nil }
        return Result { () throws(SamplerError) in
            try sampler.sample(
                logits.extracting(row * vocabularySize..<(row + 1) * vocabularySize), parameters: request.sampling,
                counts: sequence.counts, position: sequence.generatedTokens, stopIDs: sequence.stopIDs,
                logprobs: request.logprobs)
        }
    }
}
