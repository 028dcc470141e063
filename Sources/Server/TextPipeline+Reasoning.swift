import Basics

extension TextPipeline {
    /// Follows the reasoning of a reply; `nil` where the model does not reason, or its tags are no single tokens.
    ///
    /// - Parameter isOpen: whether the prompt has opened the reasoning.
    func reasoningTracker(isOpen: Bool) -> ReasoningTracker? {
        guard outputSyntax.reasons, let opening = tokenizer.id(of: "<think>"),
            let closing = tokenizer.id(of: "</think>")
        else { return nil }
        return ReasoningTracker(opening: opening, closing: closing, isOpen: isOpen)
    }
}
