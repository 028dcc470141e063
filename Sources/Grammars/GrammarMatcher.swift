import Basics

/// Tracks the position of one reply in a grammar, token by token. It computes nothing: the result of a token is already known,
/// or the matcher is pending until its ``computation`` has been run.
public struct GrammarMatcher: Sendable {
    /// When the grammar applies.
    public enum Scope: Sendable, Hashable {
        /// From the first token.
        case reply
        /// The same behind reasoning that the prompt has closed.
        case replyBehindReasoning
        /// After the reasoning, if there is any.
        case answer(behind: ReasoningTracker)
        /// After each occurrence of a token, until the grammar has been read.
        case behind(Int32)
    }

    private enum Phase: Sendable {
        /// The first token belongs to the grammar, or opens the reasoning.
        case start
        case reasoning
        /// Until the trigger token of the grammar.
        case free
        case grammar
    }

    /// The known position in the grammar, while the grammar applies.
    private enum Place: Sendable {
        case known(GrammarStep)
        case pending(from: CompiledGrammar.Position, token: Int32?)
        case failed(GrammarLimit)
    }

    private let grammar: CompiledGrammar
    private let scope: Scope
    /// Where it begins to hold behind reasoning or a token.
    private let start: CompiledGrammar.Position?
    private var phase: Phase
    /// For the scope after reasoning, until the grammar applies.
    private var reasoning: ReasoningTracker?
    private var place: Place
    /// For the trigger token of the grammar. If other tokens spelled its text, the reply would be parsed as if the grammar
    /// applied, although it did not.
    private var markerGuard: MarkerGuard?

    public init(_ grammar: CompiledGrammar, scope: Scope = .reply) {
        self.grammar = grammar
        self.scope = scope
        if case .answer(let reasoning) = scope { self.reasoning = reasoning }
        phase =
            switch scope {
            case .reply, .replyBehindReasoning: .grammar
            case .answer(let reasoning): reasoning.isOpen ? .reasoning : .start
            case .behind: .free
            }
        switch scope {
        case .reply, .replyBehindReasoning: markerGuard = nil
        case .answer(let reasoning): markerGuard = grammar.markerGuard(of: reasoning.closing)
        case .behind(let token): markerGuard = grammar.markerGuard(of: token)
        }
        do throws(GrammarLimit) {
            let isBehind = if case .answer = scope { true } else { scope == .replyBehindReasoning }
            let behind = try grammar.startPosition(behindReasoning: isBehind)
            // Space is layout behind reasoning only.
            let first = phase == .start ? try grammar.startPosition() : behind
            start = behind
            place = .pending(from: first, token: nil)
        } catch {
            start = nil
            place = .failed(error)
        }
        takeKnownStep()
    }

    /// Appends a generated token.
    ///
    /// - Precondition: it is not pending and has not failed.
    public mutating func append(_ id: Int32) {
        precondition(!isPending, "a token follows a step that is known")
        if phase == .start || phase == .reasoning { reasoning?.append(id) }
        let reasons = reasoning?.isOpen ?? false
        switch (phase, scope) {
        case (.start, _) where reasons: phase = .reasoning
        case (.start, _):
            phase = .grammar
            advance(id)
        case (.reasoning, _) where !reasons, (.free, .behind(id)): begin()
        case (.grammar, _): advance(id)
        case (.reasoning, _), (.free, _): markerGuard?.append(grammar.text(of: id))
        }
    }

    private mutating func begin() {
        phase = .grammar
        markerGuard?.removeAll()
        guard let start else { return }
        place = .pending(from: start, token: nil)
        takeKnownStep()
    }

    private mutating func advance(_ id: Int32) {
        guard case .known(let step) = place else { return }
        place = .pending(from: step.position, token: id)
        takeKnownStep()
    }

    /// Takes the pending step if it has been computed in the meantime. Never waits.
    public mutating func takeKnownStep() {
        guard holds, case .pending(let position, let token) = place,
            let step = grammar.knownStep(from: position, token: token)
        else { return }
        resolve(.success(step))
    }

    /// Applies the result of its ``computation``.
    public mutating func resolve(_ result: Result<GrammarStep, GrammarLimit>) {
        switch result {
        case .failure(let limit): place = .failed(limit)
        case .success(let step):
            let isBehindToken = if case .pending(_, .some) = place { true } else { false }
            place = .known(step)
            if isBehindToken, step.mustEnd, case .behind = scope { phase = .free }
        }
    }

    /// Whether the grammar determines the next token.
    private var holds: Bool {
        switch phase {
        case .start, .grammar: true
        case .reasoning, .free: false
        }
    }

    /// Whether the next step must be computed first.
    public var isPending: Bool {
        if holds, case .pending = place { true } else { false }
    }

    /// The computation of the next step; `nil` unless it is pending.
    public var computation: GrammarStepComputation? {
        guard holds, case .pending(let position, let token) = place else { return nil }
        return GrammarStepComputation(grammar, from: position, token: token)
    }

    /// The exceeded bound of the grammar, if there is one: then no token can follow.
    public var limit: GrammarLimit? {
        if holds, case .failed(let limit) = place { limit } else { nil }
    }

    private var step: GrammarStep? {
        if holds, case .known(let step) = place { step } else { nil }
    }

    /// The tokens that may come next; `nil`: any, as far as is known.
    public var mask: TokenMask? {
        guard holds else { return markerGuard?.mask }
        guard let step else { return nil }
        guard case .start = phase, let opening = reasoning?.opening else { return step.mask }
        return step.mask.inserting(opening)
    }

    /// Whether the reply may end here.
    public var mayEnd: Bool {
        switch phase {
        case .free: true
        case .reasoning: false
        case .start, .grammar: step?.mayEnd ?? false
        }
    }

    /// Whether the reply must end here.
    public var mustEnd: Bool {
        if case .grammar = phase { step?.mustEnd ?? false } else { false }
    }
}

extension TokenMask {
    fileprivate func inserting(_ id: Int32) -> TokenMask {
        var mask = self
        mask.insert(id)
        return mask
    }
}
