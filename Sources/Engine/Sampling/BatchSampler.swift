import Synchronization

/// A sampler that samples all sequences of a step on the worker threads. A row's result depends only on the row and its sequence,
/// so any thread may process it.
final class BatchSampler {
    private let vocabularySize: Int
    private let pool: WorkerPool
    /// The samplers, one per thread, because each has scratch memory.
    private let samplers: [Sampler]

    init(vocabularySize: Int, pool: WorkerPool) {
        self.vocabularySize = vocabularySize
        self.pool = pool
        samplers = (0..<pool.threads).map { _ in Sampler(vocabularySize: vocabularySize) }
    }

    /// Returns the number of bytes of scratch memory that `init` allocates.
    static func bytes(vocabularySize: Int, threads: Int) -> Int {
        threads * Sampler.bytes(vocabularySize: vocabularySize)
    }

    /// One sequence of a step.
    struct Job {
        var sequence: GeneratingSequence
        /// The row of the logits of its last token. The rows of its draft tokens follow.
        var row: Int
        /// The number of the sequence's draft tokens that the step verifies.
        var drafts: Int
    }

    /// Returns the tokens that each job samples from its rows of `logits` (rows, vocabularySize): one token, and one more as long
    /// as the last one equals the draft token. The result of a sequence that requests no tokens is `nil`.
    func sample(
        _ jobs: [Job], _ logits: UnsafeBufferPointer<Float>
    ) -> [Result<[SampledToken], SamplerError>?] {
        var results = [Result<[SampledToken], SamplerError>?](repeating: nil, count: jobs.count)
        let next = Atomic(0)
        results.withUnsafeMutableBufferPointer { results in
            // Each chunk is one sampler, which takes jobs until none are left.
            pool.parallelFor(chunks: min(samplers.count, jobs.count)) { worker in
                while true {
                    let index = next.add(1, ordering: .relaxed).oldValue
                    guard index < jobs.count else { return }
                    guard jobs[index].sequence.request.maxTokens > 0 else { continue }
                    results[index] = Result { () throws(SamplerError) in
                        try sample(jobs[index], logits, samplers[worker])
                    }
                }
            }
        }
        return results
    }

    private func sample(
        _ job: Job, _ logits: UnsafeBufferPointer<Float>, _ sampler: Sampler
    ) throws(SamplerError) -> [SampledToken] {
        let (sequence, request) = (job.sequence, job.sequence.request)
        var counts = sequence.counts
        var thinking = sequence.thinking
        // Draft tokens whose masks were not ready in time are dropped. The tokens that are sampled later in their place are the
        // same.
        let matchers = sequence.grammar?.known
        var sampled: [SampledToken] = []
        for index in 0...job.drafts {
            if let matchers, index >= matchers.count { break }
            let start = (job.row + index) * vocabularySize
            let row = logits.extracting(start..<start + vocabularySize)
            do throws(SamplerError) {
                if let id = thinking?.forcedToken {
                    sampled.append(try SampledToken(forced: id, logits: row, logprobs: request.logprobs))
                } else {
                    sampled.append(
                        try sampler.sample(
                            row, parameters: request.sampling, counts: counts,
                            position: sequence.generatedTokens + index, stopIDs: sequence.stopIDs,
                            grammar: matchers?[index],
                            logprobs: request.logprobs))
                }
            } catch {
                // An error after a draft token occurs again when the draft has become a token.
                if index == 0 { throw error }
                break
            }
            let token = sampled[index].id
            guard index < job.drafts, token == sequence.drafts[index] else { break }
            if request.sampling.needsCounts { counts.append(token) }
            thinking?.append(token)
        }
        precondition(!sampled.isEmpty, "a sequence without a mask is deferred")
        return sampled
    }
}

extension SampledToken {
    /// Creates a token that was not sampled but forced.
    fileprivate init(forced id: Int32, logits: UnsafeBufferPointer<Float>, logprobs: Int?) throws(SamplerError) {
        self.init(id: id)
        if let logprobs { self.logprobs = try TokenLogprobs(of: id, logits: logits, top: logprobs) }
    }
}
