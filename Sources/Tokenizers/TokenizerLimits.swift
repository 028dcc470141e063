/// Limits on the memory and time that a `tokenizer.json` can require. They are several times the values of known files.
///
/// The growth of a text is limited when the file is read, because its steps are later applied to clients' text. Several steps
/// that each double the text would turn a megabyte into gigabytes.
enum TokenizerLimits {
    /// The size of the file in bytes. A vocabulary of 200,192 tokens takes 15 MB.
    static let fileBytes = 128 << 20
    /// The size of each member in bytes, except `model.vocab`, `model.merges` and `added_tokens`.
    static let componentBytes = 8 << 20
    /// The number of entries of `model.vocab`, and of `model.merges`.
    static let entries = 1 << 21
    /// The total size of all tokens in bytes.
    static let vocabularyBytes = 64 << 20
    static let addedTokens = 1 << 17
    /// The size of one added token in bytes. It is compared with a text at each byte of the text.
    static let addedTokenBytes = 256
    /// The total size of all added tokens in bytes, in their original and their normalized form.
    static let allAddedTokenBytes = 2 << 20
    /// The number of steps of a normalizer, a pre-tokenizer or a decoder.
    static let steps = 64
    /// The size in bytes of a text that a step searches for or inserts.
    static let literalBytes = 128
    /// The maximum factor by which the steps of a component together may increase the length of a text in bytes. Unicode
    /// normalization and lowercasing are not included; their factors are at most eleven and two.
    static let growth = 16

    /// - Throws: `TokenizerError.tooLarge` if `value` is above `limit`.
    static func check(_ value: Int, of member: String, _ unit: String, atMost limit: Int) throws(TokenizerError) {
        guard value <= limit else { throw .tooLarge(member: member, value: value, unit: unit, limit: limit) }
    }

    /// Returns the text of `member`, which a step searches for or inserts.
    static func literal(_ member: TokenizerMember) throws(TokenizerError) -> [UInt8] {
        let text = Array(try member.string.utf8)
        try check(text.count, of: member.path, "bytes", atMost: literalBytes)
        return text
    }
}

/// The maximum growth of a text by the steps of a component, and the number of steps.
struct TokenizerGrowth {
    private let component: String
    private var steps = 0
    private var factor = 1

    init(_ component: String) {
        self.component = component
    }

    /// Adds a step.
    ///
    /// - Parameter factor: at least 1, and at most that of a literal.
    mutating func add(_ factor: Int) throws(TokenizerError) {
        steps += 1
        try TokenizerLimits.check(steps, of: component, "steps", atMost: TokenizerLimits.steps)
        // Both factors are small, so the product does not overflow.
        self.factor *= factor
        try TokenizerLimits.check(
            self.factor, of: component, "times the length of a text as its result", atMost: TokenizerLimits.growth)
    }
}

extension SplitPattern {
    /// Returns the maximum growth factor of a text, in bytes, if each match is replaced with `count` bytes.
    func growth(replacedBy count: Int) -> Int {
        switch self {
        case .literal(let content): max(1, (count + max(content.count, 1) - 1) / max(content.count, 1))
        // These patterns also have empty matches.
        case .digitTripleBoundaries, .regex: 1 + count
        default: max(1, count)
        }
    }
}
