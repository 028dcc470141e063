/// The text of each token, by id.
struct TokenTexts: Sendable {
    let decoder: TokenDecoder
    private let tokens: TokenList
    /// The normalized content of added tokens that are searched for in normalized text.
    private let normalForms: [Int32: [UInt8]]
    private var texts = TokenList()
    private var byteTokens: Set<Int32> = []
    private let specialIDs: Set<Int32>

    init(_ decoder: TokenDecoder, _ tokens: TokenList, normalForms: [Int32: [UInt8]], specialIDs: Set<Int32>) {
        self.decoder = decoder
        self.tokens = tokens
        self.normalForms = normalForms
        self.specialIDs = specialIDs
        for id in 0..<Int32(tokens.count) {
            guard let token = content(of: id) else { continue }
            let (bytes, isByteToken) = decoder.bytes(of: token, isFirst: false)
            texts.set(bytes, id: id)
            if isByteToken { byteTokens.insert(id) }
        }
    }

    /// The text of a token anywhere except at the beginning, or `nil` for an id without a token.
    subscript(id: Int32) -> ArraySlice<UInt8>? { texts[id] }

    private func content(of id: Int32) -> ArraySlice<UInt8>? {
        normalForms.isEmpty ? tokens[id] : normalForms[id].map { $0[...] } ?? tokens[id]
    }

    func isSpecial(_ id: Int32) -> Bool {
        specialIDs.contains(id)
    }

    /// Joins the tokens of ids. Unless it is exact as described in ``TokenJoiner``, text is returned as soon as it is complete.
    struct Stream: Sendable {
        private var joiner: TokenJoiner
        private let skipsSpecialTokens: Bool
        private let kept: Set<Int32>
        private var isFirst: Bool

        init(_ texts: TokenTexts, skipsSpecialTokens: Bool, keeping kept: Set<Int32> = [], isExact: Bool) {
            joiner = TokenJoiner(texts.decoder, isExact: isExact)
            self.skipsSpecialTokens = skipsSpecialTokens
            self.kept = kept
            isFirst = texts.decoder.treatsFirstTokenApart
        }

        mutating func append(_ id: Int32, of texts: TokenTexts) -> [UInt8] {
            if skipsSpecialTokens, texts.isSpecial(id), !kept.contains(id) { return [] }
            guard let text = texts[id] else { return [] }
            if isFirst, let token = texts.content(of: id) {
                isFirst = false
                let (bytes, isByteToken) = texts.decoder.bytes(of: token, isFirst: true)
                return joiner.append(bytes, isByteToken: isByteToken)
            }
            return joiner.append(text, isByteToken: texts.byteTokens.contains(id))
        }

        mutating func flush() -> [UInt8] {
            joiner.flush()
        }
    }
}
