import Grammars

/// A matcher at the next token of a sequence and behind each of its drafts, as far as their steps are known.
struct GrammarChain: Sendable {
    /// At the next token, behind the first draft, behind the second, and so on; empty while the next token's is pending.
    private(set) var known: [GrammarMatcher] = []
    /// The drafts behind which the matchers after the first stand.
    private var drafts: [Int32]
    /// What has to be worked out next; `nil` when nothing has.
    private var next: GrammarMatcher?

    /// - Parameter drafts: proposed next tokens. The chain ends before one that must not come.
    init(_ matcher: GrammarMatcher, drafts: [Int32] = []) {
        self.drafts = drafts
        next = matcher
        next?.takeKnownStep()
        extend()
    }

    /// Whether nothing can be said of the next token yet.
    var isPending: Bool { known.isEmpty }

    /// Whether a step of a draft or of the next token is not known.
    var isIncomplete: Bool { next != nil }

    /// The work that comes next; `nil` when there is none.
    var computation: GrammarStepComputation? { next?.computation }

    /// Takes what its ``computation`` came to.
    mutating func resolve(_ result: Result<GrammarStep, GrammarLimit>) {
        next?.resolve(result)
        extend()
    }

    /// Takes a token that was generated; drafts that did not come about are forgotten.
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

    /// Leaves the matcher of the next token alone, with other drafts behind it.
    mutating func restart(drafts: [Int32]) {
        guard let first = known.first, !drafts.isEmpty || known.count > 1 || next != nil else { return }
        self = GrammarChain(first, drafts: drafts)
    }

    /// Goes on as long as steps are known.
    private mutating func extend() {
        while let matcher = next, !matcher.isPending {
            known.append(matcher)
            next = nil
            guard known.count <= drafts.count, matcher.limit == nil else { return }
            let draft = drafts[known.count - 1]
            // Whatever ends the text ends the drafts, too.
            guard matcher.mask?.contains(draft) ?? true else { return }
            var following = matcher
            following.append(draft)
            next = following
        }
    }
}
