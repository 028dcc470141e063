/// Decodes token ids one by one.
///
/// The concatenated parts are the result of `Tokenizer.decode` for all ids. No part ends inside a character; O(1) per token.
///
/// There is one exception, since no part is ever taken back: with a `ByteFallback` decoder the reference replaces a whole run
/// of byte tokens with U+FFFD if one byte is wrong, but the characters before that byte have been returned already.
public struct IncrementalDetokenizer: Sendable {
    private let tokenizer: Tokenizer
    private var stream: TokenTexts.Stream

    /// - Parameter keeping: special tokens that are kept in the text.
    public init(tokenizer: Tokenizer, skipSpecialTokens: Bool, keeping: Set<Int32> = []) {
        self.tokenizer = tokenizer
        stream = TokenTexts.Stream(
            tokenizer.texts, skipsSpecialTokens: skipSpecialTokens, keeping: keeping, isExact: false)
    }

    /// The text that is completed by the token `id`: well-formed UTF-8, with invalid parts as U+FFFD; may be empty.
    public mutating func append(_ id: Int32) -> [UInt8] {
        stream.append(id, of: tokenizer.texts)
    }

    /// The rest after the last token: U+FFFD if it ended inside a character.
    public mutating func flush() -> [UInt8] {
        stream.flush()
    }
}
