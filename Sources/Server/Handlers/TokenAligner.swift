import Tokenizers

/// Finds the tokens of each part of a reply's text. Text lags behind tokens while a character is incomplete, or while the text
/// may be the beginning of a stop string or a tag.
struct TokenAligner: Sendable {
    private struct Place: Sendable {
        var token: ScoredToken
        /// The offsets in bytes where the token begins and ends in the text.
        var start: Int
        var end: Int
    }

    private let names: TokenNames
    private let skipsSpecialTokens: Bool
    /// Special tokens that are part of the text in any case.
    private let keptSpecialTokens: Set<Int32>
    private var repair = UTF8Repair()
    /// The tokens that no text has taken, in order.
    private var waiting: [Place] = []
    private var bytes = 0

    init(_ options: GenerationOptions, names: TokenNames) {
        self.names = names
        skipsSpecialTokens = options.skipsSpecialTokens
        keptSpecialTokens = options.keptSpecialTokens
    }

    /// Adds a generated token.
    mutating func append(_ token: ScoredToken) {
        let isText = !skipsSpecialTokens || !names.isSpecial(token.id) || keptSpecialTokens.contains(token.id)
        let start = bytes
        if isText { bytes += repair.append(names.bytes(of: token.id) ?? []).count }
        waiting.append(Place(token: token, start: start, end: bytes))
    }

    /// Returns the tokens of a part of the text, without those that an earlier part has taken. A token that begins before the part
    /// and extends into it is included. A token inside a character belongs to the part with that character.
    ///
    /// - Parameter range: the part's range in bytes, after the ranges of all earlier calls.
    mutating func take(_ range: Range<Int>) -> [ScoredToken] {
        let end = waiting.firstIndex { $0.start >= range.upperBound } ?? waiting.endIndex
        let taken = waiting[..<end].filter { $0.start >= range.lowerBound || $0.end > range.lowerBound }
        waiting.removeFirst(end)
        return taken.map(\.token)
    }
}
