import Basics

/// The limit of a sequence's reasoning. After this many tokens, the next one is the token that closes the reasoning.
public struct ThinkingBudget: Sendable, Hashable {
    private var reasoning: ReasoningTracker
    private let limit: Int

    /// - Parameters:
    ///   - reasoning: The state before the first token.
    ///   - limit: The maximum number of reasoning tokens, without the two enclosing tokens.
    public init(_ reasoning: ReasoningTracker, limit: Int) {
        self.reasoning = reasoning
        self.limit = limit
    }

    /// Counts a generated token.
    mutating func append(_ id: Int32) {
        reasoning.append(id)
    }

    /// The only token that may come next, or `nil` if there is no such restriction.
    var forcedToken: Int32? { reasoning.isOpen && reasoning.innerCount >= limit ? reasoning.closing : nil }
}
