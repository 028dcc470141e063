/// Follows one reply through a grammar, from token to token.
public struct GrammarMatcher: Sendable {
    /// When the grammar holds.
    public enum Scope: Sendable, Hashable {
        /// From the first token on.
        case reply
        /// Behind reasoning, if there is some: between two tokens, of which the prompt may have written the first.
        case answer(opening: Int32, closing: Int32, isOpen: Bool)
        /// From each occurrence of a token until it has been read.
        case behind(Int32)
    }

    private enum Phase: Sendable {
        /// The first token is of the grammar, or opens the reasoning.
        case start
        case reasoning
        /// Until the token that the grammar stands behind.
        case free
        case grammar
    }

    private let grammar: CompiledGrammar
    private let scope: Scope
    private var phase: Phase
    private var state: CompiledGrammar.State

    public init(_ grammar: CompiledGrammar, scope: Scope = .reply) {
        self.grammar = grammar
        self.scope = scope
        state = grammar.start
        phase =
            switch scope {
            case .reply: .grammar
            case .answer(_, _, let isOpen): isOpen ? .reasoning : .start
            case .behind: .free
            }
    }

    /// Takes a token that was generated.
    public mutating func append(_ id: Int32) {
        switch (phase, scope) {
        case (.start, .answer(opening: id, closing: _, isOpen: _)): phase = .reasoning
        case (.start, _):
            phase = .grammar
            advance(id)
        case (.reasoning, .answer(opening: _, closing: id, isOpen: _)): phase = .grammar
        case (.free, .behind(id)):
            phase = .grammar
            state = grammar.start
        case (.grammar, _): advance(id)
        case (.reasoning, _), (.free, _): break
        }
    }

    private mutating func advance(_ id: Int32) {
        // A token that ends the reply is none of the grammar's.
        guard let next = grammar.state(after: id, from: state) else { return }
        state = next
        if case .behind = scope, grammar.isFinal(next) { phase = .free }
    }

    /// The tokens that may come next; `nil`: any.
    public var mask: TokenMask? {
        switch phase {
        case .reasoning, .free: nil
        case .grammar: grammar.mask(state)
        case .start:
            if case .answer(let opening, _, _) = scope {
                grammar.mask(state).inserting(opening)
            } else {
                grammar.mask(state)
            }
        }
    }

    /// Whether the reply may end here.
    public var mayEnd: Bool {
        switch phase {
        case .free: true
        case .reasoning: false
        case .start, .grammar: grammar.accepts(state)
        }
    }

    /// Whether the reply must end here.
    public var mustEnd: Bool {
        if case .grammar = phase { grammar.isFinal(state) } else { false }
    }
}

extension TokenMask {
    fileprivate func inserting(_ id: Int32) -> TokenMask {
        var mask = self
        mask.insert(id)
        return mask
    }
}
