/// A part of a text that is encoded as one, by who wrote it.
public struct TextRun: Sendable, Hashable {
    public var text: String
    /// Whether special tokens that are spelled out in this run mean what they say. Not for what users write.
    public var isTrusted: Bool

    public init(text: String, isTrusted: Bool) {
        self.text = text
        self.isTrusted = isTrusted
    }
}
