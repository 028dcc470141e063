import Basics

/// Determines how the matches of a pattern, and the gaps between them, become pieces.
enum SplitBehavior: Sendable {
    /// Each match and each gap is a piece.
    case isolated
    case dropMatches
    case dropGaps
    /// A match is joined with the piece before it, unless that piece is also a match.
    case matchesJoinPrevious
    /// A match is joined with the piece after it, unless that piece is also a match.
    case matchesJoinNext
    /// Adjacent matches become one piece.
    case matchesFuse
    /// The same as the previous three cases, with matches and gaps exchanged.
    case gapsJoinPrevious
    case gapsJoinNext
    case gapsFuse

    /// Parses `behavior` and `invert`. The latter exchanges matches and gaps.
    init(parsing member: TokenizerMember) throws(TokenizerError) {
        let inverted = try member["invert"].bool(default: false)
        switch try member["behavior"].string {
        case "Isolated": self = .isolated
        case "Removed": self = inverted ? .dropGaps : .dropMatches
        case "MergedWithPrevious": self = inverted ? .gapsJoinPrevious : .matchesJoinPrevious
        case "MergedWithNext": self = inverted ? .gapsJoinNext : .matchesJoinNext
        case "Contiguous": self = inverted ? .gapsFuse : .matchesFuse
        case let other: throw member["behavior"].unsupported(other)
        }
    }

    /// Appends the nonempty pieces of the reader's piece.
    func split(_ text: PieceReader, by pattern: SplitPattern, into pieces: inout [Range<Int>]) {
        switch self {
        case .isolated, .dropMatches, .dropGaps:
            var end = text.piece.lowerBound
            pattern.forEachMatch(in: text) { match in
                if end < match.lowerBound, self != .dropGaps { pieces.append(end..<match.lowerBound) }
                if !match.isEmpty, self != .dropMatches { pieces.append(match) }
                end = match.upperBound
            }
            if end < text.piece.upperBound, self != .dropGaps { pieces.append(end..<text.piece.upperBound) }
        case .matchesJoinPrevious, .gapsJoinPrevious:
            join(parts(of: text, pattern, joined: self == .matchesJoinPrevious), into: &pieces) { $1 && !$0 }
        case .matchesJoinNext, .gapsJoinNext:
            join(parts(of: text, pattern, joined: self == .matchesJoinNext), into: &pieces) { $0 && !$1 }
        case .matchesFuse, .gapsFuse:
            join(parts(of: text, pattern, joined: self == .matchesFuse), into: &pieces) { $0 == $1 }
        }
    }

    private typealias Part = (range: Range<Int>, isJoined: Bool)

    /// Returns all matches, including empty ones, and the gaps between them.
    ///
    /// - Parameter joined: whether matches, rather than gaps, are joined with other parts.
    private func parts(of text: PieceReader, _ pattern: SplitPattern, joined: Bool) -> [Part] {
        var parts: [Part] = []
        var end = text.piece.lowerBound
        pattern.forEachMatch(in: text) { match in
            if end < match.lowerBound { parts.append((end..<match.lowerBound, !joined)) }
            parts.append((match, joined))
            end = match.upperBound
        }
        if end < text.piece.upperBound { parts.append((end..<text.piece.upperBound, !joined)) }
        return parts
    }

    /// Joins adjacent parts for which `joins` returns true.
    private func join(_ parts: [Part], into pieces: inout [Range<Int>], where joins: (Bool, Bool) -> Bool) {
        var open: Range<Int>?
        var former = false
        for (index, (range, isJoined)) in parts.enumerated() {
            if index % 4096 == 4095, Cancellation.isRequested { break }
            if let piece = open, joins(former, isJoined) {
                open = piece.lowerBound..<range.upperBound
            } else {
                if let piece = open, !piece.isEmpty { pieces.append(piece) }
                open = range
            }
            former = isJoined
        }
        if let piece = open, !piece.isEmpty { pieces.append(piece) }
    }
}
