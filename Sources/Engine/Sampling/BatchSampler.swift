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

    /// One sequence of a step.
    struct Job {
        var sequence: GeneratingSequence
        /// Of the logits of its last token; those of its drafts follow.
        var row: Int
        /// How many of the sequence's drafts the step verifies.
        var drafts: Int
    }

    /// The tokens that each job samples from its rows of `logits` (rows, vocabularySize): one, and one more as long as the
    /// last one is what the draft says. `nil` for a sequence that wants none.
    func sample(
        _ jobs: [Job], _ logits: UnsafeBufferPointer<Float>
    ) -> [Result<[SampledToken], SamplerError>?] {
        var results = [Result<[SampledToken], SamplerError>?](repeating: nil, count: jobs.count)
        let next = Atomic(0)
        results.withUnsafeMutableBufferPointer { results in
            // A chunk is a sampler, which takes jobs as long as there are some.
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
        // Drafts whose masks were not ready in time are given up; what is sampled in their place is the same later.
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
                // What fails behind a draft fails again when the draft has become a token.
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
    /// A token that was not chosen.
    fileprivate init(forced id: Int32, logits: UnsafeBufferPointer<Float>, logprobs: Int?) throws(SamplerError) {
        self.init(id: id)
        if let logprobs { self.logprobs = try TokenLogprobs(of: id, logits: logits, top: logprobs) }
    }
}
