/// Decodes token ids one by one.
///
/// The concatenated parts are equal to the result of `Tokenizer.decode` for all ids. No part ends inside a character. Each token
/// takes O(1).
///
/// There is one exception, because returned parts are final. With a `ByteFallback` decoder, the reference replaces a whole run of
/// byte tokens with U+FFFD if one byte is invalid; here, characters before that byte have already been returned.
public struct IncrementalDetokenizer: Sendable {
    private let tokenizer: Tokenizer
    private var stream: TokenTexts.Stream

    /// - Parameter keeping: the special tokens that are kept in the text even if `skipSpecialTokens` is true.
    public init(tokenizer: Tokenizer, skipSpecialTokens: Bool, keeping: Set<Int32> = []) {
        self.tokenizer = tokenizer
        stream = TokenTexts.Stream(
            tokenizer.texts, skipsSpecialTokens: skipSpecialTokens, keeping: keeping, isExact: false)
    }

    /// Returns the text that the token `id` completes: well-formed UTF-8 in which U+FFFD replaces invalid parts. It may be empty.
    public mutating func append(_ id: Int32) -> [UInt8] {
        stream.append(id, of: tokenizer.texts)
    }

    /// Returns the rest after the last token: U+FFFD if the text ends inside a character.
    public mutating func flush() -> [UInt8] {
        stream.flush()
    }
}
