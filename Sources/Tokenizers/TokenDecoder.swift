/// Converts the contents of tokens to text, as defined by the file's `decoder`.
///
/// There are steps for each token, a step that joins the tokens, and steps for the whole text. Steps for each token are applied
/// when the file is read, so decoding takes O(1) per token.
struct TokenDecoder: Sendable {
    /// Determines how tokens are joined to a text.
    enum Joining: Sendable {
        /// Each token is text.
        case text
        /// Used without a decoder: tokens are separated by spaces.
        case spaced
        /// Tokens are bytes in the byte alphabet. A token with other characters represents its own text.
        case byteLevel
        /// Tokens are text, except byte tokens. Adjacent byte tokens together are text, or one U+FFFD per byte if they are not
        /// valid UTF-8.
        case byteFallback
    }

    /// The steps for each token.
    private enum TokenStep: Sendable {
        case replace(SplitPattern, with: [UInt8])
        case strip(StripStep)
        /// The replacement becomes a space, or nothing in the first token if the encoder added it.
        case metaspace(replacement: [UInt8], dropsInFirst: Bool)
    }

    private(set) var joining = Joining.text
    /// The steps for the whole text, in order.
    private(set) var textSteps: [TextStep] = []
    private var tokenSteps: [TokenStep] = []
    private var phase = Phase.tokens
    private var growth = TokenizerGrowth("decoder")

    private enum Phase {
        case tokens
        /// Byte tokens are joined, other tokens are not.
        case joinedBytes
        case text
    }

    init(parsing member: TokenizerMember) throws(TokenizerError) {
        if member.isNull { joining = .spaced } else { try add(member) }
    }

    /// Whether a token can have a different text at the beginning.
    var treatsFirstTokenApart: Bool {
        tokenSteps.contains { if case .metaspace(_, true) = $0 { true } else { false } }
    }

    /// Returns the bytes of a token before the tokens are joined.
    ///
    /// - Returns: the bytes, and whether the token is a byte token of ``Joining/byteFallback``.
    func bytes(of content: ArraySlice<UInt8>, isFirst: Bool) -> (bytes: [UInt8], isByteToken: Bool) {
        let text = tokenSteps.reduce(Array(content)) { apply($1, to: $0, isFirst) }
        switch joining {
        case .text, .spaced: return (text, false)
        case .byteLevel:
            var bytes: [UInt8] = []
            return (ByteAlphabet.decode(text[...], into: &bytes) ? bytes : text, false)
        case .byteFallback:
            guard let byte = ByteToken.byte(of: text) else { return (text, false) }
            return ([byte], true)
        }
    }

    private func apply(_ step: TokenStep, to text: [UInt8], _ isFirst: Bool) -> [UInt8] {
        switch step {
        case .replace(let pattern, let content): pattern.replaceMatches(in: text, with: content)
        case .strip(let strip): strip.apply(to: text)
        case .metaspace(let replacement, let dropsInFirst):
            SplitPattern.literal(replacement)
                .replaceMatches(in: text, with: isFirst && dropsInFirst ? [] : [UInt8(ascii: " ")])
        }
    }
}

extension TokenDecoder {
    private mutating func add(_ member: TokenizerMember) throws(TokenizerError) {
        let type = try member.type
        if type != "Sequence", type != "Replace" { try growth.add(1) }
        switch (type, phase) {
        case ("Sequence", _):
            for part in try member["decoders"].elements { try add(part) }
        case ("ByteLevel", .tokens):
            joining = .byteLevel
            phase = .text
        case ("ByteFallback", .tokens):
            joining = .byteFallback
            phase = .joinedBytes
        case ("Fuse", _): phase = .text
        case ("Strip", .tokens): tokenSteps.append(.strip(try StripStep(parsing: member)))
        case ("Strip", .text): textSteps.append(.strip(try StripStep(parsing: member)))
        case ("Replace", .tokens):
            let pattern = try SplitPattern(parsing: member["pattern"])
            let content = try TokenizerLimits.literal(member["content"])
            tokenSteps.append(.replace(pattern, with: content))
            try growth.add(pattern.growth(replacedBy: content.count))
        case ("Replace", _): try addTextReplacement(member)
        case ("Metaspace", .tokens):
            let scheme = try member["prepend_scheme"].string(default: "always")
            let given = member["replacement"]
            let replacement = given.isNull ? Array(WordMark.content.utf8) : try TokenizerLimits.literal(given)
            tokenSteps.append(.metaspace(replacement: replacement, dropsInFirst: scheme != "never"))
        default: throw member.unsupported(phase == .tokens ? type : "\(type) behind tokens that are joined")
        }
    }

    private mutating func addTextReplacement(_ member: TokenizerMember) throws(TokenizerError) {
        let literal = try member["pattern"]["String"].string
        // A longer pattern could match across tokens that are not joined yet.
        guard !literal.isEmpty, phase == .text || literal.unicodeScalars.count == 1 else {
            throw member["pattern"]["String"].unsupported(literal)
        }
        let find = try TokenizerLimits.literal(member["pattern"]["String"])
        let content = try TokenizerLimits.literal(member["content"])
        textSteps.append(.replace(find, with: content))
        try growth.add(SplitPattern.literal(find).growth(replacedBy: content.count))
    }
}

/// Removes up to `start` and `stop` occurrences of one character from the two ends of a text.
struct StripStep: Sendable {
    let content: [UInt8]
    let start: Int
    let stop: Int

    init(parsing member: TokenizerMember) throws(TokenizerError) {
        let text = try member["content"].string
        guard text.unicodeScalars.count == 1 else { throw member["content"].expected("one character") }
        content = Array(text.utf8)
        start = try member["start"].isNull ? 0 : member["start"].integer
        stop = try member["stop"].isNull ? 0 : member["stop"].integer
    }

    func apply(to text: [UInt8]) -> [UInt8] {
        var rest = text[...]
        // A file may contain any count. The loop stops at the end of the text.
        var left = start
        while left > 0, rest.starts(with: content) {
            rest = rest.dropFirst(content.count)
            left -= 1
        }
        var right = stop
        while right > 0, rest.suffix(content.count) == content[...] {
            rest = rest.dropLast(content.count)
            right -= 1
        }
        return Array(rest)
    }
}

/// A step for the whole text, after the tokens are joined.
enum TextStep: Sendable {
    case replace([UInt8], with: [UInt8])
    case strip(StripStep)
}
