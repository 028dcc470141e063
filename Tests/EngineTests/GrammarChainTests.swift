import Basics
import Grammars
import Testing

@testable import Engine

/// The known matchers at a sequence's next token and after its draft tokens.
@Suite struct GrammarChainTests {
    /// Tokens a...z, ids 0...25.
    private static let trie = VocabularyTrie(tokens: (UInt8(ascii: "a")...UInt8(ascii: "z")).map { [$0] })

    private func matcher(_ pattern: String, scope: GrammarMatcher.Scope = .reply) throws -> GrammarMatcher {
        GrammarMatcher(try GrammarSource.regex(pattern).compile(Self.trie), scope: scope)
    }

    /// Computes all unknown steps; returns their number.
    private func resolve(_ chain: inout GrammarChain) -> Int {
        var count = 0
        while var computation = chain.computation {
            if let result = computation.run(units: 1 << 20, isCancelled: { false }) { chain.resolve(result) }
            count += 1
        }
        return count
    }

    @Test func `nothing is computed before it is requested`() throws {
        var chain = GrammarChain(try matcher("abc"))
        #expect(chain.isPending && chain.isIncomplete)
        #expect(resolve(&chain) == 1 && !chain.isPending)
        chain.append(0)
        #expect(chain.isPending)
        #expect(resolve(&chain) == 1)
        #expect(chain.known[0].mask?.contains(1) == true && chain.known[0].mask?.contains(0) == false)
    }

    @Test func `a step that one chain has computed is known to the others`() throws {
        let matcher = try matcher("ab")
        var first = GrammarChain(matcher)
        #expect(resolve(&first) == 1)
        #expect(!GrammarChain(matcher).isPending)
    }

    @Test func `a chain ends after a draft token that is not allowed`() throws {
        var chain = GrammarChain(try matcher("abcd"), drafts: [0, 1, 9, 3])
        _ = resolve(&chain)
        #expect(chain.known.count == 3 && !chain.isIncomplete)
        #expect(chain.known[2].mask?.contains(2) == true)
    }

    @Test func `accepted draft tokens are not computed again, others are dropped`() throws {
        var chain = GrammarChain(try matcher("abcd|ac"), drafts: [0, 1])
        _ = resolve(&chain)
        chain.append(0)
        #expect(chain.known.count == 2)
        var other = chain
        other.append(2)
        _ = resolve(&other)
        #expect(other.known.count == 1 && other.known[0].mustEnd)
        chain.append(1)
        #expect(chain.known.count == 1 && chain.known[0].mask?.contains(2) == true)
    }

    @Test func `if the grammar does not apply nothing is pending`() throws {
        var chain = GrammarChain(try matcher("ab", scope: .behind(25)))
        #expect(!chain.isPending && chain.known[0].mask == nil && chain.known[0].mayEnd)
        chain.append(3)
        #expect(!chain.isPending && chain.known[0].mask == nil)
        chain.append(25)
        #expect(chain.isPending)
        _ = resolve(&chain)
        for id in [0, 1] as [Int32] {
            chain.append(id)
            _ = resolve(&chain)
        }
        #expect(chain.known[0].mask == nil && chain.known[0].mayEnd && !chain.known[0].mustEnd)
    }

    @Test func `an answer may follow reasoning`() throws {
        var chain = GrammarChain(try matcher("ab", scope: .answer(behind: ReasoningTracker(opening: 24, closing: 25))))
        _ = resolve(&chain)
        #expect(chain.known[0].mask?.contains(24) == true && chain.known[0].mask?.contains(0) == true)
        chain.append(24)
        #expect(!chain.isPending && chain.known[0].mask == nil && !chain.known[0].mayEnd)
        chain.append(25)
        _ = resolve(&chain)
        #expect(chain.known[0].mask?.contains(24) == false && chain.known[0].mask?.contains(0) == true)
    }
}
