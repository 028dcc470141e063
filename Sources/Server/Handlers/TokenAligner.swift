import Tokenizers

/// Finds the tokens that a part of a reply's text is made of. Text lags behind tokens: while a character is incomplete, while a
/// stop string or a tag may be beginning.
struct TokenAligner: Sendable {
    private struct Place: Sendable {
        var token: ScoredToken
        /// Bytes of the text before it, and with it.
        var start: Int
        var end: Int
    }

    private let names: TokenNames
    private let skipsSpecialTokens: Bool
    /// Special tokens that are text all the same.
    private let keptSpecialTokens: Set<Int32>
    private var repair = UTF8Repair()
    /// Those that no text has taken, in order.
    private var waiting: [Place] = []
    private var bytes = 0

    init(_ options: GenerationOptions, names: TokenNames) {
        self.names = names
        skipsSpecialTokens = options.skipsSpecialTokens
        keptSpecialTokens = options.keptSpecialTokens
    }

    /// Takes a token that was generated.
    mutating func append(_ token: ScoredToken) {
        let isText = !skipsSpecialTokens || !names.isSpecial(token.id) || keptSpecialTokens.contains(token.id)
        let start = bytes
        if isText { bytes += repair.append(names.bytes(of: token.id) ?? []).count }
        waiting.append(Place(token: token, start: start, end: bytes))
    }

    /// The tokens of the text that these bytes are, without those that an earlier text has taken. A token at a border is of the
    /// text that it reaches into; one inside a character is of the text that the character is.
    ///
    /// - Parameter range: behind that of any call before.
    mutating func take(_ range: Range<Int>) -> [ScoredToken] {
        let end = waiting.firstIndex { $0.start >= range.upperBound } ?? waiting.endIndex
        let taken = waiting[..<end].filter { $0.start >= range.lowerBound || $0.end > range.lowerBound }
        waiting.removeFirst(end)
        return taken.map(\.token)
    }
}
