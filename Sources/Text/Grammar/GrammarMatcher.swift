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
    private var step: GrammarStep?

    public init(_ grammar: CompiledGrammar, scope: Scope = .reply) {
        self.grammar = grammar
        self.scope = scope
        step = grammar.firstStep
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
            step = grammar.firstStep
        case (.grammar, _): advance(id)
        case (.reasoning, _), (.free, _): break
        }
    }

    private mutating func advance(_ id: Int32) {
        // A token that ends the reply is none of the grammar's.
        guard let next = step.flatMap({ grammar.step(from: $0.position, token: id) }) else { return }
        step = next
        if case .behind = scope, next.mustEnd { phase = .free }
    }

    /// The tokens that may come next; `nil`: any.
    public var mask: TokenMask? {
        switch phase {
        case .reasoning, .free: nil
        case .grammar: step?.mask
        case .start:
            if case .answer(let opening, _, _) = scope {
                step?.mask.inserting(opening)
            } else {
                step?.mask
            }
        }
    }

    /// Whether the reply may end here.
    public var mayEnd: Bool {
        switch phase {
        case .free: true
        case .reasoning: false
        case .start, .grammar: step?.mayEnd ?? true
        }
    }

    /// Whether the reply must end here.
    public var mustEnd: Bool {
        if case .grammar = phase { step?.mustEnd ?? true } else { false }
    }
}

extension CompiledGrammar {
    fileprivate var firstStep: GrammarStep? {
        (try? startPosition()).flatMap { step(from: $0, token: nil) }
    }

    /// `nil` where a limit of the grammar is exceeded.
    fileprivate func step(from position: Position, token: Int32?) -> GrammarStep? {
        if let known = knownStep(from: position, token: token) { return known }
        var computation = GrammarStepComputation(self, from: position, token: token)
        return try? computation.run(units: .max, isCancelled: { false })?.get()
    }
}

extension TokenMask {
    fileprivate func inserting(_ id: Int32) -> TokenMask {
        var mask = self
        mask.insert(id)
        return mask
    }
}
