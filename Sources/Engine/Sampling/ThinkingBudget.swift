/// How long a sequence may reason: once so many tokens have come, the next is the one that ends it.
public struct ThinkingBudget: Sendable, Hashable {
    /// The tokens between which reasoning stands.
    private let opening: Int32
    private let closing: Int32
    private let limit: Int
    private var isOpen: Bool
    private var spent = 0

    /// - Parameter isOpen: whether the prompt has opened the reasoning.
    public init(opening: Int32, closing: Int32, limit: Int, isOpen: Bool) {
        self.opening = opening
        self.closing = closing
        self.limit = limit
        self.isOpen = isOpen
    }

    /// Counts a generated token.
    mutating func append(_ id: Int32) {
        switch id {
        case closing: isOpen = false
        case opening: isOpen = true
        default: spent += isOpen ? 1 : 0
        }
    }

    /// The only token that may come next, if there is one.
    var forcedToken: Int32? { isOpen && spent >= limit ? closing : nil }
}
