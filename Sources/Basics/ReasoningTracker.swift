/// Tells from the tokens of a reply whether the model reasons, which it does between two tokens. The only place that decides it
/// where the tags are single tokens: the thinking budget, grammars that hold behind the reasoning, and the usage follow it.
public struct ReasoningTracker: Sendable, Hashable {
    /// The token that opens reasoning, and the one that ends it.
    public let opening: Int32, closing: Int32
    /// Whether the next token is one of reasoning, or ends it.
    public private(set) var isOpen: Bool
    /// Tokens of reasoning so far, without the two.
    public private(set) var innerCount = 0
    /// The same with the two, as far as the model has written them.
    public private(set) var count = 0

    /// - Parameter isOpen: whether the prompt has opened the reasoning.
    public init(opening: Int32, closing: Int32, isOpen: Bool = false) {
        self.opening = opening
        self.closing = closing
        self.isOpen = isOpen
    }

    /// Takes a token that was generated.
    public mutating func append(_ id: Int32) {
        if id == opening { isOpen = true }
        guard isOpen else { return }
        count += 1
        if id == closing {
            isOpen = false
        } else if id != opening {
            innerCount += 1
        }
    }
}
