import Foundation
import FuzzTargets
import TestSupport
import Testing

/// Replays the corpus and mutations of it, the same at every run; `FUZZ_SEED` chooses others.
@Suite struct FuzzTests {
    private static let seed = ProcessInfo.processInfo.environment["FUZZ_SEED"].flatMap { UInt64($0) } ?? 1

    @Test(arguments: FuzzTarget.allCases)
    func `what holds for every input holds for the corpus`(target: FuzzTarget) throws {
        let corpus = try target.corpus()
        #expect(!corpus.isEmpty)
        for input in corpus {
            #expect(throws: Never.self, "\(target) of \(input.name)") { try target.run(input.bytes) }
        }
    }

    /// How many mutants a debug build tries in a few seconds.
    @Test(
        .timeLimit(.minutes(10)),
        arguments: [
            (.tokenizerFile, 1_000), (.encoder, 500), (.template, 2_000), (.templateContext, 1_000), (.json, 5_000),
            (.requestBody, 4_000), (.httpRequest, 4_000), (.chunkedBody, 5_000),
            (.contentCoding, 3_000), (.safetensors, 5_000), (.tlsRecords, 2_000),
        ] as [(FuzzTarget, Int)])
    func `what holds for every input holds for mutants`(target: FuzzTarget, count: Int) throws {
        let mutator = Mutator(inputs: try target.corpus().map(\.bytes), words: try target.words())
        for offset in 0..<UInt64(count) {
            // Each mutant has a seed of its own, to try it alone.
            let seed = Self.seed &+ offset
            var random = SeededGenerator(seed: seed)
            let mutant = mutator.mutant(&random)
            #expect(throws: Never.self, "\(target), seed \(seed)") { try target.run(mutant) }
        }
    }

    @Test func `mutants differ, and each follows from its seed`() {
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
