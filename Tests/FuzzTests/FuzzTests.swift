import Foundation
import FuzzTargets
import TestSupport
import Testing

/// Replays the corpus and mutations of it, which are the same in every run; `FUZZ_SEED` selects others.
@Suite struct FuzzTests {
    private static let seed = ProcessInfo.processInfo.environment["FUZZ_SEED"].flatMap { UInt64($0) } ?? 1

    @Test(arguments: FuzzTarget.allCases)
    func `the properties hold for the corpus`(target: FuzzTarget) throws {
        let corpus = try target.corpus()
        #expect(!corpus.isEmpty)
        for input in corpus {
            #expect(throws: Never.self, "\(target) of \(input.name)") { try target.run(input.bytes) }
        }
    }

    /// The number of mutants that a debug build can test in a few seconds.
    @Test(
        .timeLimit(.minutes(10)),
        arguments: [
            (.tokenizerFile, 1_000), (.encoder, 500), (.template, 2_000), (.templateContext, 1_000), (.json, 5_000),
            (.requestBody, 4_000), (.httpRequest, 4_000), (.chunkedBody, 5_000),
            (.contentCoding, 3_000), (.safetensors, 5_000), (.gguf, 5_000), (.tlsRecords, 2_000), (.rankMessage, 5_000),
        ] as [(FuzzTarget, Int)])
    func `the properties hold for mutants`(target: FuzzTarget, count: Int) throws {
        let mutator = Mutator(inputs: try target.corpus().map(\.bytes), words: try target.words())
        for offset in 0..<UInt64(count) {
            // Each mutant has its own seed, so that it can be tested alone.
            let seed = Self.seed &+ offset
            var random = SeededGenerator(seed: seed)
            let mutant = mutator.mutant(&random)
            #expect(throws: Never.self, "\(target), seed \(seed)") { try target.run(mutant) }
        }
    }

    @Test func `mutants differ, and each is determined by its seed`() {
        let mutator = Mutator(inputs: [Array("abc".utf8), Array("{}".utf8)], words: [Array("word".utf8)])
        func mutants() -> [[UInt8]] {
            (0..<100 as Range<UInt64>).map { seed in
                var random = SeededGenerator(seed: seed)
                return mutator.mutant(&random)
            }
        }
        #expect(mutants() == mutants())
        #expect(Set(mutants()).count > 50)
    }

    @Test func `words of a dictionary are unescaped`() throws {
        let words = Set(try FuzzTarget.json.words())
        for word in ["true", "\\n", "\"", "\n"] { #expect(words.contains(Array(word.utf8)), "\(word)") }
        #expect(words.contains([0xFF]))
    }
}
