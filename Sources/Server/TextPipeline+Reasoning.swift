import Basics

extension TextPipeline {
    /// Returns a tracker for the reasoning of a reply; `nil` if the model does not reason, or if its tags are not single tokens.
    ///
    /// - Parameter isOpen: whether the prompt has opened the reasoning.
    func reasoningTracker(isOpen: Bool) -> ReasoningTracker? {
        guard outputSyntax.reasons, let opening = tokenizer.id(of: "<think>"),
            let closing = tokenizer.id(of: "</think>")
        else { return nil }
        return ReasoningTracker(opening: opening, closing: closing, isOpen: isOpen)
    }
}
