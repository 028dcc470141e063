/// Bounds of what a `tokenizer.json` may cost in memory and time, several times what is known of real ones.
///
/// Growth is bounded when the file is read, because text that a client sends meets these steps later: several that each double it
/// would make gigabytes of a megabyte.
enum TokenizerLimits {
    /// Bytes of the file; a vocabulary of 200,192 takes 15 MB.
    static let fileBytes = 128 << 20
    /// Bytes of each member apart from `model.vocab`, `model.merges` and `added_tokens`.
    static let componentBytes = 8 << 20
    /// Entries of `model.vocab`, and of `model.merges`.
    static let entries = 1 << 21
    /// Bytes of all tokens.
    static let vocabularyBytes = 64 << 20
    static let addedTokens = 1 << 17
    /// Bytes of one added token: a text is compared with it at each of its bytes.
    static let addedTokenBytes = 256
    /// Bytes of all added tokens, as they are written and again as they are normalised.
    static let allAddedTokenBytes = 2 << 20
    /// Steps of a normalizer, a pre-tokenizer or a decoder.
    static let steps = 64
    /// Bytes of a text that a step looks for, or puts in the place of another.
    static let literalBytes = 128
    /// The most by which all steps of a component together may multiply the length of a text, in bytes. The mapping of Unicode
    /// forms and of lower case, at most eleven and twofold, comes on top.
    static let growth = 16

    /// - Throws: `TokenizerError.tooLarge` when `value` is above `limit`.
    static func check(_ value: Int, of member: String, _ unit: String, atMost limit: Int) throws(TokenizerError) {
        guard value <= limit else { throw .tooLarge(member: member, value: value, unit: unit, limit: limit) }
    }

    /// The text of `member`, one that a step looks for or writes.
    static func literal(_ member: TokenizerMember) throws(TokenizerError) -> [UInt8] {
        let text = Array(try member.string.utf8)
        try check(text.count, of: member.path, "bytes", atMost: literalBytes)
        return text
    }
}

/// By how much the steps of a component multiply the length of a text at most, and how many there are.
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
        // Both are small, so that the product does not overflow.
        self.factor *= factor
        try TokenizerLimits.check(
            self.factor, of: component, "times the length of a text as its result", atMost: TokenizerLimits.growth)
    }
}

extension SplitPattern {
    /// By how much a text grows at most, in bytes, when every match is replaced by `count` bytes.
    func growth(replacedBy count: Int) -> Int {
        switch self {
        case .literal(let content): max(1, (count + max(content.count, 1) - 1) / max(content.count, 1))
        // They match at empty places, too.
        case .digitTripleBoundaries, .regex: 1 + count
        default: max(1, count)
        }
    }
}
