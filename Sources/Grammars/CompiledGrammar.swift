import Synchronization

/// A grammar over a vocabulary: which tokens may come next. Shared by all sequences that follow it; what one has found the
/// others need not find.
public final class CompiledGrammar: Sendable {
    /// A place in a grammar that a text has come to. Immutable. As long as it is referenced, the grammar keeps the state that
    /// it stands for; it takes no lock when it is freed.
    public final class Position: Sendable {
        let state: GrammarAutomaton.State

        init(state: GrammarAutomaton.State) {
            self.state = state
        }
    }

    /// Bytes of memory that a compiled grammar takes at most: its rules, and twice what states and masks are counted as, since
    /// tables grow by doubling.
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

    /// Where every text begins.
    ///
    /// - Throws: `GrammarLimit` where the first byte can be read in too many ways. At most some ms of work, once.
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

    /// The step behind a token, if it is known already. Never computes, and never waits: `nil` where it is unknown, and
    /// where a computation is at work. About 1 us, more where memory is cold.
    ///
    /// - Parameter token: `nil`: the step at the position itself. A token that the grammar does not have there, such as an
    ///   end of sequence, leaves the position as it is.
    public func knownStep(from position: Position, token: Int32?) -> GrammarStep? {
        masks.withLockIfAvailable { $0.knownStep(position.state, token: token) } ?? nil
    }

    /// Bytes of states and masks that it counts now.
    var bytes: Int { masks.withLock { $0.bytes } }

    /// Whether the text can neither go on nor end.
    func isDeadEnd(_ position: Position) -> Bool {
        masks.withLock { $0.automaton.isFinal(position.state) && !$0.automaton.accepts(position.state) }
    }

    /// The bytes of a token; none for one that cannot be constrained.
    func text(of token: Int32) -> ArraySlice<UInt8> { trie.text(of: token) }

    /// What keeps the token's text from being written by other tokens; `nil` for one that is no marker.
    func markerGuard(of token: Int32) -> MarkerGuard? {
        trie.markerTexts[token].map { MarkerGuard(marker: $0, trie) }
    }

    func withMasks<Result>(_ body: (inout GrammarMasks) -> sending Result) -> sending Result {
        masks.withLock { body(&$0) }
    }
}
