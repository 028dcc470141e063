import Foundation
import JSON
import TestSupport
import Testing

@testable import Engine

struct SamplerTests {
    /// One example of `sampling.json`.
    struct Example: CustomTestStringConvertible, Sendable {
        var testDescription: String
        var logits: [Float]
        var counts: TokenCounts
        var position: Int
        var parameters: SamplingParameters
        var expected: JSONValue

        static let all: [Example] = {
            guard let examples = (try? Fixtures.json("model/sampling.json"))?["examples"]?.array else { return [] }
            return examples.compactMap(Example.init)
        }()

        init?(_ json: JSONValue) {
            guard let name = json["name"]?.string, let logits = json["logits"]?.array, let expected = json["expected"],
                let prompt = json["prompt_ids"]?.array, let output = json["output_ids"]?.array,
                let values = json["params"]?.object
            else { return nil }
            testDescription = name
            self.logits = logits.compactMap(\.double).map(Float.init)
            self.expected = expected
            counts = TokenCounts(prompt: Set(prompt.compactMap(\.integer).map(Int32.init)))
            for id in output.compactMap(\.integer) { counts.append(Int32(id)) }
            position = output.count
            parameters = SamplingParameters()
            for (key, value) in values {
                let number = Float(value.double ?? 0)
                switch key {
                case "temperature": parameters.temperature = number
                case "top_k": parameters.topK = Int(number)
                case "top_p": parameters.topP = number
                case "min_p": parameters.minP = number
                case "repetition_penalty": parameters.repetitionPenalty = number
                case "frequency_penalty": parameters.frequencyPenalty = number
                case "presence_penalty": parameters.presencePenalty = number
                case "logit_bias":
                    for (id, bias) in value.object ?? [:] {
                        parameters.logitBias.append(LogitBias(id: Int32(id) ?? -1, bias: Float(bias.double ?? 0)))
                    }
                default: return nil
                }
            }
        }

        func numbers(_ key: String) -> [Double] { (expected[key]?.array ?? []).compactMap(\.double) }
    }

    @Test func `all examples are read`() {
        #expect(Example.all.count == 28)
    }

    @Test(arguments: Example.all)
    func `an example's logits are adjusted as expected`(example: Example) {
        let expected = example.numbers("processed_logits_before_temperature")
        let sampler = Sampler(vocabularySize: example.logits.count)
        example.logits.withUnsafeBufferPointer { logits in
            let row = sampler.adjust(
                logits, parameters: example.parameters, counts: example.counts, position: example.position, stopIDs: [])
            #expect(row.count == expected.count)
            for (got, want) in zip(row, expected) { #expect(abs(Double(got) - want) <= 1e-6 * max(1, abs(want))) }
            let argmax = row.largest().flatMap { row.firstIndex(of: $0) }
            #expect(argmax == example.expected["argmax_after_penalties"]?.integer)
        }
    }

    @Test(arguments: Example.all)
    func `an example keeps the expected tokens with the expected probabilities`(example: Example) throws {
        let sampler = Sampler(vocabularySize: example.logits.count)
        let distribution = try example.logits.withUnsafeBufferPointer { logits in
            try sampler.distribution(
                logits, parameters: example.parameters, counts: example.counts, position: example.position, stopIDs: [])
        }
        #expect(distribution.map { Double($0.id) } == example.numbers("kept"))
        let expected = example.numbers("probs")
        for (id, probability) in distribution { #expect(abs(probability - expected[Int(id)]) <= 1e-6) }
    }

    @Test(arguments: Example.all)
    func `an example's logprobs are those of the original logits`(example: Example) throws {
        let expected = example.numbers("raw_logprobs")
        let sampled = try sample(example, logprobs: expected.count)
        let report = try #require(sampled.logprobs)
        let order = expected.indices.sorted { expected[$0] != expected[$1] ? expected[$0] > expected[$1] : $0 < $1 }
        #expect(report.top.map { Int($0.id) } == order)
        for entry in report.top { #expect(abs(Double(entry.logprob) - expected[Int(entry.id)]) <= 1e-6) }
        #expect(abs(Double(report.logprob) - expected[Int(sampled.id)]) <= 1e-6)
        #expect(report.rank == 1 + expected.count { $0 > expected[Int(sampled.id)] })
    }

    @Test(arguments: Example.all)
    func `draws follow the expected probabilities`(example: Example) throws {
        let draws = TestEffort.count(1000, all: 4000)
        let expected = example.numbers("probs")
        var counts = [Int](repeating: 0, count: expected.count)
        var example = example
        let sampler = Sampler(vocabularySize: example.logits.count)
        for position in 0..<draws {
            example.position = position
            counts[Int(try sample(example, sampler: sampler).id)] += 1
        }
        // Pearson's test; rare tokens are combined in one class.
        var statistic = 0.0
        var degrees = -1
        var rare = (expected: 0.0, count: 0)
        for (probability, count) in zip(expected, counts) {
            guard probability > 0 else {
                #expect(count == 0)
                continue
            }
            guard probability * Double(draws) >= 5 else {
                rare = (rare.expected + probability * Double(draws), rare.count + count)
                continue
            }
            statistic += pow(Double(count) - probability * Double(draws), 2) / (probability * Double(draws))
            degrees += 1
        }
        if rare.expected >= 5 {
            statistic += pow(Double(rare.count) - rare.expected, 2) / rare.expected
            degrees += 1
        } else {
            #expect(Double(rare.count) < 20)
        }
        // Mean and standard deviation of the chi-square distribution; the seed is fixed, so the result is reproducible.
        #expect(statistic <= Double(degrees) + 4 * sqrt(2 * Double(max(degrees, 0))) + 1e-9)
    }

    @Test func `a draw depends only on seed, choice and position`() throws {
        let logits = Self.logits(count: 500, seed: 1)
        func tokens(seed: UInt64, choice: Int = 0, with sampler: Sampler) throws -> [Int32] {
            var parameters = SamplingParameters()
            parameters.seed = seed
            parameters.choice = choice
            return try (0..<40).map { try sample(logits, parameters, position: $0, sampler: sampler).id }
        }
        let sampler = Sampler(vocabularySize: 500)
        let first = try tokens(seed: 7, with: sampler)
        #expect(try tokens(seed: 8, with: sampler) != first)
        #expect(try tokens(seed: 7, choice: 1, with: sampler) != first)
        #expect(try tokens(seed: 7, with: sampler) == first)
        #expect(try tokens(seed: 7, with: Sampler(vocabularySize: 500)) == first)
        #expect(Set(first).count > 10)
    }

    @Test(
        arguments: [
            (0, 1, 0), (0, 0.9, 0), (50, 1, 0), (40, 0.7, 0.001), (0, 1, 0.05), (0, 0.999, 0), (9999, 0.5, 0),
            (1, 0.1, 0.9),
        ] as [(Int, Float, Float)])
    func `a large vocabulary is truncated as with a full sort`(topK: Int, topP: Float, minP: Float) throws {
        // Rounded, so that there are ties everywhere; nearly flat, so that the first digits are equal; all equal.
        let shapes: [(Float) -> Float] = [{ ($0 * 8).rounded() / 8 }, { 5 + $0 * 1e-4 }, { _ in 0.3 }]
        for (seed, shape) in (shapes + shapes).enumerated() {
            let logits = Self.logits(count: 10_000, seed: UInt64(seed)).map { shape($0) }
            var parameters = SamplingParameters()
            (parameters.topK, parameters.topP, parameters.minP, parameters.temperature) = (topK, topP, minP, 0.7)
            let sampler = Sampler(vocabularySize: logits.count)
            let distribution = try logits.withUnsafeBufferPointer {
                try sampler.distribution(
                    $0, parameters: parameters, counts: TokenCounts(prompt: []), position: 0, stopIDs: [])
            }
            #expect(distribution.map(\.id) == Self.sortedCut(logits, parameters))
            #expect(abs(distribution.reduce(0) { $0 + $1.probability } - 1) < 1e-12)
        }
    }

    @Test func `zeros of either sign are equal`() throws {
        for (topK, logits, kept) in [
            (2, [-0.0, 0, 0, 0], [0, 1, 2, 3]), (2, [0, -0.0, -1, -2], [0, 1]), (3, [-0.0, -1, 0, -2], [0, 1, 2]),
        ] as [(Int, [Float], [Int32])] {
            var parameters = SamplingParameters()
            parameters.topK = topK
            let distribution = try logits.withUnsafeBufferPointer {
                try Sampler(vocabularySize: logits.count).distribution(
                    $0, parameters: parameters, counts: TokenCounts(prompt: []), position: 0, stopIDs: [])
            }
            #expect(distribution.map(\.id) == kept)
        }
    }

    @Test func `the draw reaches every slice of a large vocabulary`() throws {
        let logits = [Float](repeating: 0, count: 10_000)
        let sampler = Sampler(vocabularySize: logits.count)
        var seen = Set<Int>()
        for position in 0..<60 {
            seen.insert(Int(try sample(logits, SamplingParameters(), position: position, sampler: sampler).id) / 4096)
        }
        #expect(seen == [0, 1, 2])
    }

    @Test func `greedy takes the lowest id among equals`() throws {
        var logits = [Float](repeating: -1, count: 50)
        for id in [49, 17, 33] { logits[id] = 2 }
        var parameters = SamplingParameters()
        parameters.temperature = 0
        #expect(try sample(logits, parameters).id == 17)
    }

    @Test func `stop ids are excluded until enough tokens were generated`() throws {
        var parameters = SamplingParameters()
        parameters.temperature = 0
        parameters.minTokens = 3
        parameters.logitBias = [LogitBias(id: 1, bias: 100)]
        let logits: [Float] = [0, 5, 4, 3]
        #expect(try sample(logits, parameters, position: 2, stopIDs: [1, 2, 900, -1]).id == 3)
        #expect(try sample(logits, parameters, position: 3, stopIDs: [1, 2, 900, -1]).id == 1)
    }

    @Test(arguments: [0, 1] as [Float])
    func `the smallest repetition penalty favors the repeated token and is no error`(temperature: Float) throws {
        var parameters = SamplingParameters()
        parameters.temperature = temperature
        parameters.repetitionPenalty = .leastNonzeroMagnitude
        parameters.frequencyPenalty = -2
        var counts = TokenCounts(prompt: [1])
        counts.append(1)
        #expect(try sample([30, 20, -10], parameters, counts: counts).id == 1)
    }

    @Test func `ids beyond the vocabulary are ignored`() throws {
        var parameters = SamplingParameters()
        parameters.temperature = 0
        parameters.repetitionPenalty = 2
        parameters.logitBias = [LogitBias(id: -1, bias: 9), LogitBias(id: 4, bias: 9)]
        #expect(try sample([0, 5, 4, 3], parameters, counts: TokenCounts(prompt: [4, 1000, -7])).id == 1)
    }

    @Test(arguments: [0, 1] as [Float])
    func `logits that are not a distribution are an error`(temperature: Float) throws {
        var parameters = SamplingParameters()
        parameters.temperature = temperature
        for place in [0, 15, 16, 39] {
            for value in [Float.nan, -.nan, .infinity] {
                var logits = [Float](repeating: 1, count: 40)
                logits[place] = value
                #expect(throws: SamplerError.notFinite) { try sample(logits, parameters) }
            }
        }
        #expect(throws: SamplerError.noCandidate) { try sample([-.infinity, -.infinity], parameters) }
        parameters.minTokens = 1
        #expect(throws: SamplerError.noCandidate) { try sample([1, 2], parameters, stopIDs: [0, 1]) }
    }

    @Test func `a masked token is never drawn and is reported as impossible`() throws {
        let logits: [Float] = [1, -.infinity, 1]
        for position in 0..<200 { #expect(try sample(logits, SamplingParameters(), position: position).id != 1) }
        let report = try logits.withUnsafeBufferPointer { try TokenLogprobs(of: 0, logits: $0, top: 5) }
        #expect(report.top.map(\.id) == [0, 2, 1])
        #expect(report.top[2].logprob == -.infinity)
        #expect(report.rank == 1)
    }

    @Test func `zero alternatives may be requested`() throws {
        let report = try [1, 2, 3].withUnsafeBufferPointer { try TokenLogprobs(of: 0, logits: $0, top: 0) }
        #expect(report.top.isEmpty)
        #expect(report.rank == 3)
    }

    private func sample(
        _ example: Example, logprobs: Int? = nil, sampler: Sampler? = nil
    ) throws -> SampledToken {
        let sampler = sampler ?? Sampler(vocabularySize: example.logits.count)
        return try example.logits.withUnsafeBufferPointer { logits in
            try sampler.sample(
                logits, parameters: example.parameters, counts: example.counts, position: example.position, stopIDs: [],
                logprobs: logprobs)
        }
    }

    private func sample(
        _ logits: [Float], _ parameters: SamplingParameters, counts: TokenCounts = TokenCounts(prompt: []),
        position: Int = 0, stopIDs: [Int32] = [], sampler: Sampler? = nil
    ) throws -> SampledToken {
        let sampler = sampler ?? Sampler(vocabularySize: logits.count)
        return try logits.withUnsafeBufferPointer { row in
            try sampler.sample(row, parameters: parameters, counts: counts, position: position, stopIDs: stopIDs)
        }
    }

    /// Logits with a normal distribution, so that a few tokens have most of the mass.
    private static func logits(count: Int, seed: UInt64) -> [Float] {
        (0..<count).map { index in
            Float((0..<6).reduce(0) { $0 + Philox.uniform(seed: seed, choice: $1, position: index) } - 3) * 3
        }
    }

    /// The kept ids by definition.
    private static func sortedCut(_ logits: [Float], _ parameters: SamplingParameters) -> [Int32] {
        let largest = Double(logits.max() ?? 0)
        let temperature = Double(parameters.temperature)
        var kept = logits.indices.map { (id: $0, weight: exp((Double(logits[$0]) - largest) / temperature)) }
        kept = kept.filter { $0.weight >= Double(parameters.minP) }
        kept.sort { $0.weight != $1.weight ? $0.weight > $1.weight : $0.id < $1.id }
        if parameters.topK > 0 && parameters.topK < kept.count {
            let bound = kept[parameters.topK - 1].weight
            kept = kept.filter { $0.weight >= bound }
        }
        let wanted = Double(parameters.topP) * kept.reduce(0) { $0 + $1.weight }
        var sum = 0.0
        let end = kept.firstIndex { token in
            sum += token.weight
            return sum >= wanted
        }
        if let end, parameters.topP < 1 { kept = Array(kept[...end]) }
        return kept.map { Int32($0.id) }.sorted()
    }
}
