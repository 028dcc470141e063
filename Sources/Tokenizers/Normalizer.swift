import Basics

/// Normalizes a segment of text before it is split into pieces.
struct Normalizer: Sendable {
    private enum Step: Sendable {
        case form(UnicodeForm)
        case lowercase
        case strip(left: Bool, right: Bool)
        case prepend([UInt8])
        case replace(SplitPattern, with: [UInt8])
    }

    private var steps: [Step] = []
    private var growth = TokenizerGrowth("normalizer")

    init(parsing member: TokenizerMember) throws(TokenizerError) {
        if !member.isNull { try add(member) }
    }

    /// Whether normalization never changes a text.
    var isIdentity: Bool { steps.isEmpty }

    func normalize(_ text: [UInt8]) -> [UInt8] {
        steps.reduce(text) { apply($1, to: $0) }
    }

    /// Returns the normalized text and the trust of its bytes.
    ///
    /// If the result of a step for the separate runs differs from the result for the whole text, no byte is trusted.
    func normalize(_ text: [UInt8], _ trust: TrustMap) -> ([UInt8], TrustMap) {
        var text = text
        var trust = trust
        for step in steps where !Cancellation.isRequested {
            let whole = apply(step, to: text)
            var parts: [UInt8] = []
            var partsTrust = TrustMap()
            for (range, isTrusted) in trust.slices(of: text.indices) {
                if Cancellation.isRequested { break }
                // The prefix is added only at the beginning of the text.
                if case .prepend = step, range.lowerBound > 0 {
                    parts += text[range]
                } else {
                    parts += apply(step, to: Array(text[range]))
                }
                partsTrust.append(count: parts.count - partsTrust.count, isTrusted: isTrusted)
            }
            trust = parts == whole ? partsTrust : TrustMap(count: whole.count, isTrusted: false)
            text = whole
        }
        return (text, trust)
    }

    private func apply(_ step: Step, to text: [UInt8]) -> [UInt8] {
        switch step {
        case .form(let form): return form.normalize(text)
        case .lowercase: return Normalizer.lowercase(text)
        case .strip(let left, let right): return Normalizer.strip(text, left: left, right: right)
        case .prepend(let prefix): return text.isEmpty ? text : prefix + text
        case .replace(let pattern, let content): return pattern.replaceMatches(in: text, with: content)
        }
    }

    /// Maps each character separately: a sigma at the end of a word does not become a final sigma.
    private static func lowercase(_ text: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        for (index, scalar) in String(decoding: text, as: UTF8.self).unicodeScalars.enumerated() {
            if index % 4096 == 4095, Cancellation.isRequested { break }
            result += scalar.properties.lowercaseMapping.utf8
        }
        return result
    }

    private static func strip(_ text: [UInt8], left: Bool, right: Bool) -> [UInt8] {
        text.withReader { reader in
            let start = left ? reader.endOfRun(of: .space, from: 0) : 0
            var end = text.count
            while right, end > start {
                if end % (1 << 14) == 0, Cancellation.isRequested { break }
                let last = reader.start(before: end)
                guard CharacterClass.space.intersects(reader.character(at: last).class) else { break }
                end = last
            }
            return Array(text[start..<end])
        }
    }
}

extension Normalizer {
    private mutating func add(_ member: TokenizerMember) throws(TokenizerError) {
        switch try member.type {
        case "Sequence":
            for part in try member["normalizers"].elements { try add(part) }
            return
        case "NFC": steps.append(.form(.canonicalComposition))
        case "NFD": steps.append(.form(.canonicalDecomposition))
        case "NFKC": steps.append(.form(.compatibilityComposition))
        case "NFKD": steps.append(.form(.compatibilityDecomposition))
        case "Lowercase": steps.append(.lowercase)
        case "Strip":
            let left = try member["strip_left"].bool(default: true)
            steps.append(.strip(left: left, right: try member["strip_right"].bool(default: true)))
        case "Prepend": steps.append(.prepend(try TokenizerLimits.literal(member["prepend"])))
        case "Replace":
            let pattern = try SplitPattern(parsing: member["pattern"])
            let content = try TokenizerLimits.literal(member["content"])
            steps.append(.replace(pattern, with: content))
            try growth.add(pattern.growth(replacedBy: content.count))
            return
        case let other: throw member.unsupported(other)
        }
        // A prefix is added once per segment.
        try growth.add(1)
    }
}
