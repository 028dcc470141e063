/// Turns token ids into text as they come.
///
/// The parts, joined, are what `Tokenizer.decode` makes of all ids. No part ends inside a character; O(1) a token.
public struct IncrementalDetokenizer: Sendable {
    private let tokenizer: Tokenizer
    private let skipsSpecialTokens: Bool
    private var repair = UTF8Repair()

    public init(tokenizer: Tokenizer, skipSpecialTokens: Bool) {
        self.tokenizer = tokenizer
        skipsSpecialTokens = skipSpecialTokens
    }

    /// The text that is complete with the token `id`: well-formed UTF-8, ill-formed parts as U+FFFD, perhaps empty.
    public mutating func append(_ id: Int32) -> [UInt8] {
        repair.append(tokenizer.bytes(of: id, skipSpecialTokens: skipsSpecialTokens))
    }

    /// What is left after the last token: U+FFFD if it ended inside a character.
    public mutating func flush() -> [UInt8] {
        repair.flush()
    }
}
