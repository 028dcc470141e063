// The cost of sampling in a step: rows of 200,192 logits, sampled on the engine's threads as in a step. Prints the best
// time of some rounds; all cases alternate. Arguments: [threads] [rounds]. The sampler is not public, so the build needs
// -Xswiftc -enable-testing.

import Foundation
import Scheduling

@testable import Engine

let vocabularySize = 200_192
let mostRows = 64
let arguments = CommandLine.arguments.dropFirst().compactMap { Int($0) }
let threads = arguments.first ?? WorkerPool.defaultThreadCount()
let rounds = arguments.dropFirst().first ?? 8

struct Case {
    var name: String
    var logprobs: Int?
    var parameters: SamplingParameters

    init(
        _ name: String, temperature: Float = 1, logprobs: Int? = nil,
        _ change: (inout SamplingParameters) -> Void = { _ in }
    ) {
        self.name = name
        self.logprobs = logprobs
        parameters = SamplingParameters()
        parameters.temperature = temperature
        change(&parameters)
    }
}

let cases = [
    Case("greedy", temperature: 0),
    Case("greedy, 5 logprobs", temperature: 0, logprobs: 5),
    Case("temperature 1"),
    Case("top-p 0.95") { $0.topP = 0.95 },
    Case("top-k 50") { $0.topK = 50 },
    Case("min-p 0.05") { $0.minP = 0.05 },
    Case("top-p 0.95, 5 logprobs", logprobs: 5) { $0.topP = 0.95 },
]

/// Normal logits; a trained model's deviation is nearer to 3, one of random weights has less than 1.
func logits(deviation: Float) -> [Float] {
    srand48(1)
    return (0..<vocabularySize * mostRows).map { _ in
        let sum = (0..<6).reduce(0) { sum, _ in sum + drand48() * 2 - 1 }
        return Float(sum / 2.0.squareRoot()) * deviation
    }
}

func jobs(_ rows: Int, _ measured: Case) -> [BatchSampler.Job] {
    (0..<rows).map { row in
        var parameters = measured.parameters
        parameters.seed = UInt64(row)
        let request = GenerationRequest(
            id: SequenceID(UInt64(row)), promptIDs: [1], sampling: parameters, stop: StopConditions(), maxTokens: 1,
            logprobs: measured.logprobs)
        let counts = TokenCounts(for: parameters, prompt: [1])
        let sequence = GeneratingSequence(request, counts: counts, tokenizer: nil, endOfSequenceIDs: [])
        return BatchSampler.Job(sequence: sequence, row: row, drafts: 0)
    }
}

let pool = WorkerPool(
    threads: threads, pinned: WorkerPool.canPin(threads: threads), spinning: .microseconds(300))
let sampler = BatchSampler(vocabularySize: vocabularySize, pool: pool)
let clock = ContinuousClock()
print("\(threads) threads, best of \(rounds), ms a step")
print("logits      rows  " + cases.map(\.name).joined(separator: " | "))
for (name, deviation) in [("deviation 3", 3), ("flat, 0.6", 0.6)] as [(String, Float)] {
    let values = logits(deviation: deviation)
    for rows in [1, mostRows] {
        var best = [Double](repeating: .infinity, count: cases.count)
        let inputs = cases.map { jobs(rows, $0) }
        for _ in 0..<rounds {
            for (index, input) in inputs.enumerated() {
                let begin = clock.now
                values.withUnsafeBufferPointer { logits in
                    _ = sampler.sample(input, UnsafeBufferPointer(rebasing: logits[..<(rows * vocabularySize)]))
                }
                best[index] = min(best[index], (clock.now - begin) / .milliseconds(1))
            }
        }
        let cells = best.map { String(format: "%.2f", $0) }.joined(separator: " | ")
        print("\(name) | \(rows) | \(cells)")
    }
}
