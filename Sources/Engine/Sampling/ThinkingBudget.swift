import Basics

/// The limit of a sequence's reasoning: after this many tokens, the next one is the token that ends the reasoning.
public struct ThinkingBudget: Sendable, Hashable {
    private var reasoning: ReasoningTracker
    private let limit: Int

    /// - Parameters:
    ///   - reasoning: before the first token.
    ///   - limit: tokens of reasoning, without the two that enclose it.
    public init(_ reasoning: ReasoningTracker, limit: Int) {
        self.reasoning = reasoning
        self.limit = limit
    }

    /// Counts a generated token.
    mutating func append(_ id: Int32) {
        reasoning.append(id)
    }

    /// The only token that may come next; `nil` if there is no such restriction.
    var forcedToken: Int32? { reasoning.isOpen && reasoning.innerCount >= limit ? reasoning.closing : nil }
}
