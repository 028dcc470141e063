import Tokenizers

/// Where in a choice's text its next token begins.
struct TextPosition: Sendable {
    /// The characters (Unicode scalars) that are complete before the token. One that begins inside a character belongs
    /// to the character that an earlier token began.
    private(set) var offset = 0
    private var repair = UTF8Repair()

    /// Moves past a token whose part of the text is `bytes`.
    mutating func advance(past bytes: [UInt8]) {
        offset += repair.append(bytes).count { $0 & 0xC0 != 0x80 }
    }
}
