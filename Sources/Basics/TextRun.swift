/// A part of a text, marked as trusted or untrusted. All runs of a text are encoded together.
public struct TextRun: Sendable, Hashable {
    public var text: String
    /// Whether special tokens spelled out in this run are encoded as special tokens. False for text from users.
    public var isTrusted: Bool

    public init(text: String, isTrusted: Bool) {
        self.text = text
        self.isTrusted = isTrusted
    }
}
