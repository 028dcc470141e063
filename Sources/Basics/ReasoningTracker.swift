/// Tracks from the tokens of a reply whether the model is reasoning, if reasoning is enclosed by two tokens. This is the only
/// implementation for such models: the thinking budget, grammars that start after the reasoning, and the usage all use it.
public struct ReasoningTracker: Sendable, Hashable {
    /// The token that opens reasoning, and the one that ends it.
    public let opening: Int32, closing: Int32
    /// Whether the next token belongs to the reasoning, or ends it.
    public private(set) var isOpen: Bool
    /// Tokens of reasoning so far, without the enclosing two.
    public private(set) var innerCount = 0
    /// The same including the enclosing tokens that the model has generated.
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
