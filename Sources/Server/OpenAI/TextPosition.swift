import Tokenizers

/// The position of a choice's next token in its text.
struct TextPosition: Sendable {
    /// The number of complete characters (Unicode scalars) before the token. A token that begins inside a character has the
    /// position of that character.
    private(set) var offset = 0
    private var repair = UTF8Repair()

    /// Advances past a token whose part of the text is `bytes`.
    mutating func advance(past bytes: [UInt8]) {
        offset += repair.append(bytes).count { $0 & 0xC0 != 0x80 }
    }
}
