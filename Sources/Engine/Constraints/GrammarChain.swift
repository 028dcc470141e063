import Grammars

/// The grammar matchers of a sequence: at its next token and after each of its draft tokens, as far as their steps are known.
struct GrammarChain: Sendable {
    /// The matchers at the next token, after the first draft token, after the second, and so on. Empty while the step of the next
    /// token is pending.
    private(set) var known: [GrammarMatcher] = []
    /// The draft tokens that precede the second and later matchers.
    private var drafts: [Int32]
    /// The matcher whose step must be computed next, or `nil` if there is none.
    private var next: GrammarMatcher?

    /// - Parameter drafts: The proposed next tokens. The chain ends before the first one that the grammar does not allow.
    init(_ matcher: GrammarMatcher, drafts: [Int32] = []) {
        self.drafts = drafts
        next = matcher
        next?.takeKnownStep()
        extend()
    }

    /// Whether the step of the next token is not yet known.
    var isPending: Bool { known.isEmpty }

    /// Whether a step of the next token or of a draft token is unknown.
    var isIncomplete: Bool { next != nil }

    /// The next computation, or `nil` if there is none.
    var computation: GrammarStepComputation? { next?.computation }

    /// Applies the result of ``computation``.
    mutating func resolve(_ result: Result<GrammarStep, GrammarLimit>) {
        next?.resolve(result)
        extend()
    }

    /// Appends a generated token. Draft tokens that were not accepted are dropped.
    ///
    /// - Precondition: The chain is not pending.
    mutating func append(_ id: Int32) {
        if known.count > 1, drafts.first == id {
            known.removeFirst()
            drafts.removeFirst()
        } else {
            var matcher = known[0]
            matcher.append(id)
            self = GrammarChain(matcher)
        }
    }

    /// Keeps only the matcher of the next token, and starts over with other draft tokens.
    mutating func restart(drafts: [Int32]) {
        guard let first = known.first, !drafts.isEmpty || known.count > 1 || next != nil else { return }
        self = GrammarChain(first, drafts: drafts)
    }

    /// Extends the chain as long as steps are known.
    private mutating func extend() {
        while let matcher = next, !matcher.isPending {
            known.append(matcher)
            next = nil
            guard known.count <= drafts.count, matcher.limit == nil else { return }
            let draft = drafts[known.count - 1]
            // A token that ends the text also ends the drafts.
            guard matcher.mask?.contains(draft) ?? true else { return }
            var following = matcher
            following.append(draft)
            next = following
        }
    }
}
