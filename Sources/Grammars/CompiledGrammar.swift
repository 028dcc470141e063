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

    private let trie: VocabularyTrie
    private let masks: Mutex<GrammarMasks>
    private let starts: Mutex<Starts?> = Mutex(nil)

    /// Where a text begins.
    private struct Starts {
        var text: Position
        /// Before layout that may come first.
        var behindReasoning: Position
        var mayBeginWithSpace: Bool
    }

    init(_ grammar: Grammar, _ trie: VocabularyTrie) {
        self.trie = trie
        masks = Mutex(GrammarMasks(grammar, trie))
    }

    /// The start position of every text.
    ///
    /// - Parameter behindReasoning: whether line breaks and spaces may come first, where it was compiled so.
    /// - Throws: `GrammarLimit` if the first byte can be read in too many ways. Takes at most a few ms, once.
    public func startPosition(behindReasoning: Bool = false) throws(GrammarLimit) -> Position {
        let starts = try knownStarts()
        return behindReasoning ? starts.behindReasoning : starts.text
    }

    /// Whether space may come first that is of the text itself.
    ///
    /// - Throws: as ``startPosition(behindReasoning:)``.
    public func mayBeginWithSpace() throws(GrammarLimit) -> Bool { try knownStarts().mayBeginWithSpace }

    private func knownStarts() throws(GrammarLimit) -> Starts {
        if let known = starts.withLock({ $0 }) { return known }
        let found = try masks.withLock { masks throws(GrammarLimit) in try Self.findStarts(&masks.automaton) }
        return starts.withLock { starts in
            let first = starts ?? found
            starts = first
            return first
        }
    }

    private static func findStarts(_ automaton: inout GrammarAutomaton) throws(GrammarLimit) -> Starts {
        let text = automaton.position(of: try automaton.start(skipsLayout: true))
        for space in " \t\n\r".utf8 {
            guard try automaton.step(text.state, space).next == GrammarAutomaton.dead else {
                return Starts(text: text, behindReasoning: text, mayBeginWithSpace: true)
            }
        }
        let behindReasoning = automaton.position(of: try automaton.start())
        return Starts(text: text, behindReasoning: behindReasoning, mayBeginWithSpace: false)
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
