/// A tracker that determines from the tokens of a reply whether the model is reasoning, for models that enclose reasoning in two
/// tokens. The thinking budget, grammars that start after the reasoning, and the usage all use it.
public struct ReasoningTracker: Sendable, Hashable {
    /// The tokens that open and close the reasoning.
    public let opening: Int32, closing: Int32
    /// Whether the next token is part of the reasoning or closes it.
    public private(set) var isOpen: Bool
    /// The number of reasoning tokens so far, without the two enclosing tokens.
    public private(set) var innerCount = 0
    /// The number of reasoning tokens so far, including the enclosing tokens that the model generated.
    public private(set) var count = 0

    /// - Parameter isOpen: Whether the prompt has opened the reasoning.
    public init(opening: Int32, closing: Int32, isOpen: Bool = false) {
        self.opening = opening
        self.closing = closing
        self.isOpen = isOpen
    }

    /// Appends a generated token.
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
