import Tokenizers

/// Counts the tokens of a reply that are reasoning, the one that ends it included.
struct ReasoningMeter: Sendable {
    private let opening: Int32
    private let closing: Int32
    private var isOpen: Bool
    private(set) var count = 0

    /// - Parameter isOpen: whether the prompt has opened the reasoning.
    init(_ tags: ReasoningTags, isOpen: Bool) {
        opening = tags.opening
        closing = tags.closing
        self.isOpen = isOpen
    }

    mutating func append(_ id: Int32) {
        if id == opening { isOpen = true }
        count += isOpen ? 1 : 0
        if id == closing { isOpen = false }
    }
}

/// The tokens between which reasoning stands.
struct ReasoningTags: Sendable, Hashable {
    var opening: Int32
    var closing: Int32
}

extension TextPipeline {
    /// `nil` where the model does not reason, or its tags are no single tokens.
    var reasoningTags: ReasoningTags? {
        guard outputFormat.reasons, let opening = tokenizer.id(of: "<think>"),
            let closing = tokenizer.id(of: "</think>")
        else { return nil }
        return ReasoningTags(opening: opening, closing: closing)
    }
}
