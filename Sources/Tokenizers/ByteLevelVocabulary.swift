import JSON

/// The tokens and merges of a byte-level tokenizer that was not read from a `tokenizer.json`. They are added one by one.
public struct ByteLevelVocabulary {
    /// The kind of a token.
    public enum Kind: Sendable {
        /// A token of the model, written in the byte-level alphabet.
        case normal
        /// A special token, written as in text.
        case special
        /// A token that is searched for in text before the text is split, written as in text.
        case added
        /// An id without a token.
        case unused
    }

    /// The ids that are added before and after a plain prompt.
    public var prefix: [Int32] = []
    public var suffix: [Int32] = []

    let splitting: Splitting
    /// The normal tokens.
    private(set) var model = Vocabulary()
    private(set) var merges = MergeTable(capacity: 0)
    /// Ordered by id.
    private(set) var addedTokens: [AddedToken] = []
    /// The tokens that may occur in merges: all except special ones.
    private var mergeable = Vocabulary()
    private var ranks = 0
    private var addedBytes = 0
    private var nextID: Int32 = 0
    /// The probable id of the next merged token. Vocabularies are usually in the order in which they were learned.
    private var nextMerged: Int32 = 0

    /// - Parameter name: llama.cpp's name of the pre-tokenizer.
    /// - Throws: `TokenizerError.unsupported` with the name.
    public init(preTokenizer name: String) throws(TokenizerError) {
        guard let splitting = Splitting.named(name) else {
            throw .unsupported(member: "pre-tokenizer", name: name)
        }
        self.splitting = splitting
    }

    /// Appends the token with the next id.
    ///
    /// - Throws: `TokenizerError` if the text is empty, not UTF-8 or a duplicate, or if a limit is exceeded.
    public mutating func append(_ token: UnsafeRawBufferPointer, _ kind: Kind) throws(TokenizerError) {
        let id = nextID
        guard Int(id) < Vocabulary.maximumID else {
            throw .tooLarge(
                member: "tokens", value: Int(id) + 1, unit: "entries", limit: Vocabulary.maximumID)
        }
        nextID += 1
        if kind == .unused { return }
        guard let text = String(validating: token, as: UTF8.self), !text.isEmpty else {
            throw .malformed(member: "tokens[\(id)]", expected: "UTF-8 that is not empty")
        }
        if kind == .normal {
            try model.insert(Array(token), id: id)
        } else {
            try TokenizerLimits.check(
                token.count, of: "tokens[\(id)]", "bytes", atMost: TokenizerLimits.addedTokenBytes)
            addedBytes += token.count
            try TokenizerLimits.check(
                addedBytes, of: "added tokens", "bytes", atMost: TokenizerLimits.allAddedTokenBytes)
            addedTokens.append(AddedToken(id: id, content: text, isSpecial: kind == .special))
            try TokenizerLimits.check(
                addedTokens.count, of: "added tokens", "entries", atMost: TokenizerLimits.addedTokens)
        }
        if kind != .special { try mergeable.insert(Array(token), id: id) }
    }

    /// Appends the next merge: two tokens separated by a space. All tokens must have been added before.
    ///
    /// - Throws: `TokenizerError` if the rule does not merge two tokens into another token, or if a limit is exceeded.
    public mutating func appendMerge(_ rule: UnsafeRawBufferPointer) throws(TokenizerError) {
        var pair = Array(rule)
        guard let border = pair.firstIndex(of: UInt8(ascii: " ")) else { throw invalidMerge }
        pair.remove(at: border)
        guard let rule = MergeTable.rule(pair, border: border, mergeable.table, guess: nextMerged) else {
            throw invalidMerge
        }
        merges.set(left: rule.left, right: rule.right, rank: ranks, merged: rule.merged)
        nextMerged = rule.merged + 1
        ranks += 1
        try TokenizerLimits.check(ranks, of: "merges", "entries", atMost: TokenizerLimits.entries)
    }

    private var invalidMerge: TokenizerError {
        .malformed(member: "merges[\(ranks)]", expected: "two tokens whose concatenation is a token")
    }

    /// Returns all tokens, by content and id.
    func allTokens() throws(TokenizerError) -> Vocabulary {
        var vocabulary = model
        for token in addedTokens { try vocabulary.insert(Array(token.content.utf8), id: token.id) }
        return vocabulary
    }
}

extension ByteLevelVocabulary {
    /// The text splitting before the model. It is selected by name, because files other than `tokenizer.json` cannot describe it.
    struct Splitting {
        /// The expressions whose matches become pieces, applied one after another, or empty for GPT-2's expression.
        let patterns: [String]
        /// Whether a piece that is a token is not split.
        let ignoresMerges: Bool

        /// The equivalent `pre_tokenizer` of a `tokenizer.json`.
        var preTokenizer: JSONValue {
            let splits: [JSONValue] = patterns.map {
                ["type": "Split", "pattern": ["Regex": .string($0)], "behavior": "Isolated"]
            }
            let bytes: JSONValue = [
                "type": "ByteLevel", "add_prefix_space": false, "use_regex": .bool(patterns.isEmpty),
            ]
            return ["type": "Sequence", "pretokenizers": .array(JSONArray(splits + [bytes]))]
        }

        static func named(_ name: String) -> Splitting? {
            switch name {
            case "afmoe": Splitting(patterns: [numbers, foreign, words], ignoresMerges: false)
            case "deepseek-v3":
                Splitting(
                    patterns: [#"\p{N}{1,3}"#, "[\u{4E00}-\u{9FA5}\u{3040}-\u{309F}\u{30A0}-\u{30FF}]+", words],
                    ignoresMerges: false)
            case "llama-bpe", "llama3", "llama-v3": Splitting(patterns: [llama3(digits: "{1,3}")], ignoresMerges: true)
            case "qwen2", "deepseek-r1-qwen": Splitting(patterns: [llama3(digits: "")], ignoresMerges: false)
            case "tekken": Splitting(patterns: [o200k(digits: "", contractions: "")], ignoresMerges: true)
            case "gpt-4o", "llama4":
                Splitting(
                    patterns: [o200k(digits: "{1,3}", contractions: "(?i:'s|'t|'re|'ve|'m|'ll|'d)?")],
                    ignoresMerges: false)
            case "gpt-2": Splitting(patterns: [], ignoresMerges: false)
            default: nil
            }
        }

        /// Groups of three digits, counted from the right.
        private static let numbers = #"\p{Nd}{1,3}(?=(?:\p{Nd}{3})*(?!\p{Nd}))"#
        /// Scripts that do not separate words with spaces.
        private static let foreign =
            "[\u{4E00}-\u{9FFF}\u{3400}-\u{4DBF}\u{F900}-\u{FAFF}\u{3040}-\u{309F}\u{30A0}-\u{30FF}"
            + "\u{FF65}-\u{FF9F}\u{2F00}-\u{2FDF}\u{0E40}-\u{0E7F}\u{0E80}-\u{0EFF}\u{1780}-\u{17FF}"
            + "\u{1000}-\u{109F}\u{AA60}-\u{AA7F}\u{A9E0}-\u{A9FF}\u{AC00}-\u{D7AF}\u{1100}-\u{11FF}]+"
        private static let spaces = #"\s*[\r\n]+|\s+(?!\S)|\s+"#
        private static let words =
            ##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|"##
            + #" ?[\p{P}\p{S}]+[\r\n]*|"# + spaces

        private static func llama3(digits: String) -> String {
            #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"# + digits
                + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|"# + spaces
        }

        private static func o200k(digits: String, contractions: String) -> String {
            let (upper, lower) = (#"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"#, #"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"#)
            let start = #"[^\r\n\p{L}\p{N}]?"#
            return start + upper + "*" + lower + "+" + contractions + "|" + start + upper + "+" + lower + "*"
                + contractions + #"|\p{N}"# + digits + #"| ?[^\s\p{L}\p{N}]+[\r\n/]*|"# + spaces
        }
    }
}
