import Synchronization

/// Samples all sequences of a step on the worker threads. A row's result depends only on the row and its sequence, so any
/// thread may process it.
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

    /// One sequence of a step.
    struct Job {
        var sequence: GeneratingSequence
        /// The row of the logits of its last token; the rows of its draft tokens follow.
        var row: Int
        /// The number of the sequence's draft tokens that the step verifies.
        var drafts: Int
    }

    /// The tokens that each job samples from its rows of `logits` (rows, vocabularySize): one, and one more as long as the last
    /// one equals the draft token. `nil` for a sequence that wants none.
    func sample(
        _ jobs: [Job], _ logits: UnsafeBufferPointer<Float>
    ) -> [Result<[SampledToken], SamplerError>?] {
        var results = [Result<[SampledToken], SamplerError>?](repeating: nil, count: jobs.count)
        let next = Atomic(0)
        results.withUnsafeMutableBufferPointer { results in
            // A chunk is a sampler, which takes jobs until there are none.
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
        // Draft tokens whose masks were not ready in time are dropped; the tokens sampled in their place later are the same.
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
    /// A token that was not sampled but given.
    fileprivate init(forced id: Int32, logits: UnsafeBufferPointer<Float>, logprobs: Int?) throws(SamplerError) {
        self.init(id: id)
        if let logprobs { self.logprobs = try TokenLogprobs(of: id, logits: logits, top: logprobs) }
    }
}
