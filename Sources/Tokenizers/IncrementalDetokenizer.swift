/// Turns token ids into text as they come.
///
/// The parts, joined, are what `Tokenizer.decode` makes of all ids. No part ends inside a character; O(1) a token.
///
/// There is one exception, since no part is ever taken back: with a `ByteFallback` decoder the reference makes U+FFFD of a
/// whole run of byte tokens when one byte is wrong, of which the characters before that byte are given out by then.
public struct IncrementalDetokenizer: Sendable {
    private let tokenizer: Tokenizer
    private var stream: TokenTexts.Stream

    /// - Parameter keeping: special tokens that are text all the same.
    public init(tokenizer: Tokenizer, skipSpecialTokens: Bool, keeping: Set<Int32> = []) {
        self.tokenizer = tokenizer
        stream = TokenTexts.Stream(
            tokenizer.texts, skipsSpecialTokens: skipSpecialTokens, keeping: keeping, isExact: false)
    }

    /// The text that is complete with the token `id`: well-formed UTF-8, ill-formed parts as U+FFFD, perhaps empty.
    public mutating func append(_ id: Int32) -> [UInt8] {
        stream.append(id, of: tokenizer.texts)
    }

    /// What is left after the last token: U+FFFD if it ended inside a character.
    public mutating func flush() -> [UInt8] {
        stream.flush()
    }
}
