/// Cuts a segment into the pieces that the model works on, one stage after the other; each stage works inside the
/// pieces of the former.
///
/// All supported vocabularies are byte-level: the last stage maps bytes to characters of the byte alphabet, which the
/// model does by itself, so pieces stay plain UTF-8.
struct PreTokenizer: Sendable {
    private enum Stage: Sendable {
        /// One space in front of every piece that does not begin with one.
        case prefixSpace
        case split(SplitPattern, SplitBehavior)
    }

    /// What becomes of the matches of a pattern and of the gaps between them; a whole gap is one piece.
    private enum SplitBehavior: Sendable {
        case isolated
        case dropMatches
        case dropGaps
    }

    private var stages: [Stage] = []
    private var isByteLevel = false

    init(parsing member: TokenizerMember) throws(TokenizerError) {
        guard !member.isNull else { throw member.unsupported("null") }
        try add(member)
        // A model on characters needs byte fallback or an unknown token, and pieces of unbounded length.
        guard isByteLevel else { throw member.unsupported("without ByteLevel") }
    }

    /// The text of `segment` with its pieces, none of them empty.
    func pieces(of segment: [UInt8], _ range: Range<Int>) -> (bytes: [UInt8], pieces: [Range<Int>]) {
        guard !range.isEmpty else { return (segment, []) }
        var bytes = segment
        var pieces = [range]
        for stage in stages {
            switch stage {
            case .prefixSpace: (bytes, pieces) = PreTokenizer.prefixSpaces(bytes, pieces)
            case .split(let pattern, let behavior): pieces = PreTokenizer.split(bytes, pieces, pattern, behavior)
            }
        }
        return (bytes, pieces)
    }

    private static func prefixSpaces(_ bytes: [UInt8], _ pieces: [Range<Int>]) -> ([UInt8], [Range<Int>]) {
        var spaced: [UInt8] = []
        var places: [Range<Int>] = []
        for piece in pieces {
            let start = spaced.count
            if bytes[piece.lowerBound] != UInt8(ascii: " ") { spaced.append(UInt8(ascii: " ")) }
            spaced += bytes[piece]
            places.append(start..<spaced.count)
        }
        return (spaced, places)
    }

    private static func split(
        _ bytes: [UInt8], _ pieces: [Range<Int>], _ pattern: SplitPattern, _ behavior: SplitBehavior
    ) -> [Range<Int>] {
        var result: [Range<Int>] = []
        result.reserveCapacity(pieces.count)
        for piece in pieces {
            var end = piece.lowerBound
            for match in pattern.matches(in: PieceReader(bytes, piece)) {
                if end < match.lowerBound, behavior != .dropGaps { result.append(end..<match.lowerBound) }
                if !match.isEmpty, behavior != .dropMatches { result.append(match) }
                end = match.upperBound
            }
            if end < piece.upperBound, behavior != .dropGaps { result.append(end..<piece.upperBound) }
        }
        return result
    }
}

extension PreTokenizer {
    private mutating func add(_ member: TokenizerMember) throws(TokenizerError) {
        guard !isByteLevel else { throw .inconsistent("\(member.path) follows ByteLevel, which must come last") }
        switch try member.type {
        case "Sequence":
            for part in try member["pretokenizers"].elements { try add(part) }
        case "Split":
            let pattern = try PreTokenizer.parsePattern(member["pattern"])
            stages.append(.split(pattern, try PreTokenizer.parseBehavior(member)))
        case "Digits":
            let individual = try member["individual_digits"].bool(default: false)
            stages.append(.split(.groups(of: .number, atMost: individual ? 1 : .max), .isolated))
        case "ByteLevel":
            if try member["add_prefix_space"].bool(default: true) { stages.append(.prefixSpace) }
            if try member["use_regex"].bool(default: true) { stages.append(.split(.gpt2, .isolated)) }
            isByteLevel = true
        case let other: throw member.unsupported(other)
        }
    }

    private static func parsePattern(_ member: TokenizerMember) throws(TokenizerError) -> SplitPattern {
        if let literal = member["String"].value.string { return .literal(Array(literal.utf8)) }
        let regex = try member["Regex"].string
        guard let pattern = SplitPattern(regex: regex) else { throw member["Regex"].unsupported(regex) }
        return pattern
    }

    private static func parseBehavior(_ member: TokenizerMember) throws(TokenizerError) -> SplitBehavior {
        let inverted = try member["invert"].bool(default: false)
        switch try member["behavior"].string {
        case "Isolated": return .isolated
        case "Removed": return inverted ? .dropGaps : .dropMatches
        case let other: throw member["behavior"].unsupported(other)
        }
    }
}
