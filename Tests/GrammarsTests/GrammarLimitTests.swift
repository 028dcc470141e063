import TestSupport
import Testing

@testable import Grammars
@testable import JSON

/// Grammars that are designed to use time and memory: each step ends within its bounds, with a mask or a named limit.
@Suite struct GrammarLimitTests {
    /// Some 3,000 tokens: all bytes, and words.
    private static let trie = {
        var random = SeededGenerator(seed: 5)
        var tokens = Set((0..<256).map { [UInt8($0)] })
        while tokens.count < 3_072 {
            let letters = Array("etaoinshrdlu\",:{} ".utf8)
            tokens.insert(
                (0...Int.random(in: 0..<8, using: &random)).map { _ in letters.randomElement(using: &random) ?? 0 })
        }
        return VocabularyTrie(tokens: tokens.sorted { $0.lexicographicallyPrecedes($1) })
    }()

    /// Follows random tokens; returns the units of the largest step, and the exceeded limit, if any.
    private func follow(_ grammar: CompiledGrammar, tokens: Int, seed: UInt64 = 1) throws -> (
        most: Int, limit: GrammarLimit?
    ) {
        var random = SeededGenerator(seed: seed)
        var (most, position, token) = (0, try grammar.startPosition(), Int32?.none)
        for _ in 0..<tokens {
            var computation = GrammarStepComputation(grammar, from: position, token: token)
            var result: Result<GrammarStep, GrammarLimit>?
            while result == nil {
                let before = computation.spentUnits
                result = computation.run(units: 4_096, isCancelled: { false })
                #expect(computation.spentUnits - before <= 4_096 + 2 * GrammarAutomaton.mostSteps)
            }
            most = max(most, computation.spentUnits)
            #expect(grammar.bytes <= GrammarMasks.mostBytes + (2 << 20))
            switch result {
            case .success(let step):
                let allowed = (0..<Int32(Self.trie.vocabularySize)).filter { step.mask.contains($0) }
                guard let next = allowed.randomElement(using: &random) else { return (most, nil) }
                (position, token) = (step.position, next)
            case .failure(let limit): return (most, limit)
            case nil: break
            }
        }
        return (most, nil)
    }

    /// Regular expressions, and the same in GBNF.
    private static let nested = [
        (".((a?){1000}){1000}", #". (("a"?){1000}){1000}"#),
        ("(((((a?){1000}){1000}){1000}){1000})", #"((((("a"?){1000}){1000}){1000}){1000})"#),
        ("([a-z]?){400}", "([a-z]?){400}"), ("([a-z]?){1000}", "([a-z]?){1000}"),
        ("([a-z]{1,20} ?){1,1000}", #"([a-z]{1,20} " "?){1,1000}"#),
        ("(a|b|ab){0,1000}", #"("a" | "b" | "ab"){0,1000}"#),
    ]

    @Test(arguments: nested)
    func `nested counts take few steps, in every notation`(regex: String, gbnf: String) throws {
        let schema: JSONValue = ["type": "string", "pattern": .string("^(?:\(regex))$")]
        for source in [GrammarSource.regex(regex), .jsonSchema(schema), .gbnf("root ::= " + gbnf)] {
            let (most, limit) = try follow(try source.compile(Self.trie), tokens: 40)
            #expect(limit == nil && most < 200_000, "\(source): \(most)")
        }
    }

    @Test func `nested counts need few parallel parses`() throws {
        let text = String(repeating: "a", count: 3_000)
        #expect(try GrammarReader(.regex("((a?){1000}){1000}")).mostStacks(text) <= 8)
        #expect(try GrammarReader(.regex("(((((a?){1000}){1000}){1000}){1000})")).mostStacks(text) <= 16)
        #expect(try GrammarReader(.regex("([a-z]?){1000}")).mostStacks(text) <= 2)
    }

    @Test(arguments: [".*[a-m].{500}", "(?:.*[aeiou].{20})+ZZZ"])
    func `states that multiply stay within the memory limit`(regex: String) throws {
        let grammar = try GrammarSource.regex(regex).compile(Self.trie)
        _ = try follow(grammar, tokens: 25)
    }

    @Test func `an ambiguous text ends with the limit`() throws {
        let reader = try GrammarReader(.regex("(?:a|b)*a(?:[ab]{0,4}c?[ab]){9000}"))
        #expect(throws: GrammarLimit.parallelParses(GrammarAutomaton.mostStacks)) {
            _ = try reader.reads(String(repeating: "a", count: 9_000))
        }
        let long = try GrammarReader(.gbnf("root ::= \"a\" root \"b\" | \"c\""))
        #expect(throws: GrammarLimit.depth(GrammarAutomaton.mostDepth)) {
            _ = try long.reads(String(repeating: "a", count: 9_000))
        }
        let empty = (0..<70_000).map { _ in "\"a\"?" }.joined(separator: " ")
        #expect(throws: GrammarError.self) { try GrammarSource.gbnf("root ::= " + empty).compile(Self.trie) }
    }

    @Test func `a step is the same in slices of any size, and with any previous computations`() throws {
        let source = GrammarSource.regex("(?:[a-z]{1,3}[aeiou ].{2}){0,300}")
        func masks(units: Int, isShared: Bool) throws -> [TokenMask] {
            var random = SeededGenerator(seed: 9)
            let shared = try source.compile(Self.trie)
            var texts: [Int32] = []
            var masks: [TokenMask] = []
            for _ in 0..<8 {
                let grammar = isShared ? shared : try source.compile(Self.trie)
                var position = try grammar.startPosition()
                for token in texts { position = try grammar.step(from: position, token: token).position }
                var computation = GrammarStepComputation(grammar, from: position, token: nil)
                var result: Result<GrammarStep, GrammarLimit>?
                while result == nil { result = computation.run(units: units, isCancelled: { false }) }
                let step = try #require(try result?.get())
                masks.append(step.mask)
                let allowed = (0..<Int32(Self.trie.vocabularySize)).filter { step.mask.contains($0) }
                texts.append(try #require(allowed.randomElement(using: &random)))
            }
            return masks
        }
        let expected = try masks(units: .max, isShared: true)
        #expect(try masks(units: 50, isShared: true) == expected)
        #expect(try masks(units: 777, isShared: false) == expected)
    }

    @Test func `slices of one unit finish`() throws {
        let trie = VocabularyTrie(tokens: [[0x61], [0x62], [0x61, 0x62]])
        for source in [GrammarSource.regex("[ab]{2,9}"), .jsonSchema(["type": "string", "pattern": "a"])] {
            let grammar = try source.compile(trie)
            var computation = GrammarStepComputation(grammar, from: try grammar.startPosition(), token: nil)
            var slices = 0
            while computation.run(units: 1, isCancelled: { false }) == nil, slices < 1_000 { slices += 1 }
            #expect(slices < 1_000)
        }
    }

    @Test func `a computation that is cancelled stops, and another one completes it`() throws {
        let grammar = try GrammarSource.regex("[a-z \":,]{0,500}").compile(Self.trie)
        var computation = GrammarStepComputation(grammar, from: try grammar.startPosition(), token: nil)
        var asked = 0
        let result = computation.run(units: .max) {
            asked += 1
            return asked > 2
        }
        #expect(result == nil && computation.spentUnits > 0 && computation.spentUnits < 5_000)
        var other = GrammarStepComputation(grammar, from: try grammar.startPosition(), token: nil)
        #expect(other.run(units: .max, isCancelled: { false }) != nil)
        #expect(grammar.knownStep(from: try grammar.startPosition(), token: nil) != nil)
    }

    @Test func `referenced positions stay valid when states are dropped`() throws {
        let grammar = try GrammarSource.regex("(?:.*[aeiou].{20})+ZZZ").compile(Self.trie)
        let held = try grammar.firstStep()
        let next = try grammar.step(from: held.position, token: 0x61)
        _ = try follow(grammar, tokens: 25, seed: 3)
        _ = try follow(grammar, tokens: 25, seed: 4)
        let again = try grammar.step(from: next.position, token: nil)
        #expect(again.mask == next.mask && again.position === next.position)
        #expect(try grammar.step(from: held.position, token: 0x61).mask == next.mask)
    }
}
