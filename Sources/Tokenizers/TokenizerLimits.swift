/// Limits of the memory and time of a `tokenizer.json`, several times those of known files.
///
/// The growth of a text is limited when the file is read, because the steps are later applied to text of clients: several steps
/// that each double it would turn a megabyte into gigabytes.
enum TokenizerLimits {
    /// Size of the file; a vocabulary of 200,192 takes 15 MB.
    static let fileBytes = 128 << 20
    /// Size of each member except `model.vocab`, `model.merges` and `added_tokens`.
    static let componentBytes = 8 << 20
    /// Entries of `model.vocab`, and of `model.merges`.
    static let entries = 1 << 21
    /// Bytes of all tokens.
    static let vocabularyBytes = 64 << 20
    static let addedTokens = 1 << 17
    /// Size of one added token: a text is compared with it at each of its bytes.
    static let addedTokenBytes = 256
    /// Total size of all added tokens, in their original and their normalized form.
    static let allAddedTokenBytes = 2 << 20
    /// Steps of a normalizer, a pre-tokenizer or a decoder.
    static let steps = 64
    /// Size of a text that a step searches for, or inserts.
    static let literalBytes = 128
    /// The maximum factor by which all steps of a component together may increase the length of a text, in bytes. Unicode
    /// normalization and lower case are not included: their factors are at most eleven and two.
    static let growth = 16

    /// - Throws: `TokenizerError.tooLarge` if `value` is above `limit`.
    static func check(_ value: Int, of member: String, _ unit: String, atMost limit: Int) throws(TokenizerError) {
        guard value <= limit else { throw .tooLarge(member: member, value: value, unit: unit, limit: limit) }
    }

    /// The text of `member`, which a step searches for or inserts.
    static func literal(_ member: TokenizerMember) throws(TokenizerError) -> [UInt8] {
        let text = Array(try member.string.utf8)
        try check(text.count, of: member.path, "bytes", atMost: literalBytes)
        return text
    }
}

/// The maximum growth of a text by the steps of a component, and their number.
struct TokenizerGrowth {
    private let component: String
    private var steps = 0
    private var factor = 1

    init(_ component: String) {
        self.component = component
    }

    /// Counts a step.
    ///
    /// - Parameter factor: at least 1, at most that of a literal.
    mutating func add(_ factor: Int) throws(TokenizerError) {
        steps += 1
        try TokenizerLimits.check(steps, of: component, "steps", atMost: TokenizerLimits.steps)
        // Both are small, so the product does not overflow.
        self.factor *= factor
        try TokenizerLimits.check(
            self.factor, of: component, "times the length of a text as its result", atMost: TokenizerLimits.growth)
    }
}

extension SplitPattern {
    /// The maximum growth of a text, in bytes, if every match is replaced with `count` bytes.
    func growth(replacedBy count: Int) -> Int {
        switch self {
        case .literal(let content): max(1, (count + max(content.count, 1) - 1) / max(content.count, 1))
        // They have empty matches, too.
        case .digitTripleBoundaries, .regex: 1 + count
        default: max(1, count)
        }
    }
}
