import Grammars

/// The matchers at the next token of a sequence and after each of its draft tokens, as far as their steps are known.
struct GrammarChain: Sendable {
    /// The matchers at the next token, after the first draft token, after the second, and so on; empty while the next token's
    /// step is pending.
    private(set) var known: [GrammarMatcher] = []
    /// The draft tokens before the second and later matchers.
    private var drafts: [Int32]
    /// The matcher whose step must be computed next; `nil` if there is none.
    private var next: GrammarMatcher?

    /// - Parameter drafts: proposed next tokens. The chain ends before one that the grammar does not allow.
    init(_ matcher: GrammarMatcher, drafts: [Int32] = []) {
        self.drafts = drafts
        next = matcher
        next?.takeKnownStep()
        extend()
    }

    /// Whether nothing is known about the next token yet.
    var isPending: Bool { known.isEmpty }

    /// Whether a step of a draft token or of the next token is unknown.
    var isIncomplete: Bool { next != nil }

    /// The next computation; `nil` if there is none.
    var computation: GrammarStepComputation? { next?.computation }

    /// Applies the result of its ``computation``.
    mutating func resolve(_ result: Result<GrammarStep, GrammarLimit>) {
        next?.resolve(result)
        extend()
    }

    /// Appends a generated token; draft tokens that were not accepted are dropped.
    ///
    /// - Precondition: it is not pending.
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

    /// Keeps only the matcher of the next token, with other draft tokens after it.
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
