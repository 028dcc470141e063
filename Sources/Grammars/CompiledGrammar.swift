import Synchronization

/// A grammar over a vocabulary, which determines the tokens that may come next. Shared by all sequences that use it, with all
/// cached results.
public final class CompiledGrammar: Sendable {
    /// The position of a text in a grammar. Immutable. While it is referenced, the grammar keeps the corresponding state;
    /// freeing it takes no lock.
    public final class Position: Sendable {
        let state: GrammarAutomaton.State

        init(state: GrammarAutomaton.State) {
            self.state = state
        }
    }

    /// Maximum memory of a compiled grammar in bytes: its rules, and twice the counted size of states and masks, since tables
    /// grow by doubling.
    public static let mostBytes = 2 * GrammarMasks.mostBytes + (4 << 20)

    /// Whether line breaks and spaces may come first that are layout, and no part of the text.
    public let hasLayout: Bool

    private let trie: VocabularyTrie
    private let masks: Mutex<GrammarMasks>
    private let start: Mutex<Position?> = Mutex(nil)

    init(_ grammar: Grammar, _ trie: VocabularyTrie) {
        self.trie = trie
        hasLayout = grammar.hasLayout
        masks = Mutex(GrammarMasks(grammar, trie))
    }

    /// The start position of every text.
    ///
    /// - Throws: `GrammarLimit` if the first byte can be read in too many ways. Takes at most a few ms, once.
    public func startPosition() throws(GrammarLimit) -> Position {
        if let known = start.withLock({ $0 }) { return known }
        let position = try masks.withLock { masks throws(GrammarLimit) in
            masks.automaton.position(of: try masks.automaton.start())
        }
        return start.withLock { start in
            let first = start ?? position
            start = first
            return first
        }
    }

    /// The step after a token, if it is known. Never computes and never waits: `nil` if the step is unknown or a computation is
    /// in progress. Takes about 1 us, more if memory is not in the caches.
    ///
    /// - Parameter token: `nil`: the step at the position itself. A token that the grammar does not allow there, such as an end
    ///   of sequence, keeps the position.
    public func knownStep(from position: Position, token: Int32?) -> GrammarStep? {
        masks.withLockIfAvailable { $0.knownStep(position.state, token: token) } ?? nil
    }

    /// The counted bytes of states and masks.
    var bytes: Int { masks.withLock { $0.bytes } }

    /// Whether the text can neither continue nor end.
    func isDeadEnd(_ position: Position) -> Bool {
        masks.withLock { $0.automaton.isFinal(position.state) && !$0.automaton.accepts(position.state) }
    }

    /// The bytes of a token; empty for a token that cannot be constrained.
    func text(of token: Int32) -> ArraySlice<UInt8> { trie.text(of: token) }

    /// The guard that prevents other tokens from writing the token's text; `nil` if the token is not a marker.
    func markerGuard(of token: Int32) -> MarkerGuard? {
        trie.markerTexts[token].map { MarkerGuard(marker: $0, trie) }
    }

    func withMasks<Result>(_ body: (inout GrammarMasks) -> sending Result) -> sending Result {
        masks.withLock { body(&$0) }
    }
}
