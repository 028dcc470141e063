import Basics

/// Byte pair encoding (Sennrich et al., https://arxiv.org/abs/1508.07909), the `model` of a `tokenizer.json`.
struct BytePairEncoding: Sendable {
    private let merges: MergeTable
    private let symbols: InitialSymbols
    /// With `ignore_merges`, all tokens by their bytes. A piece that is a token is not split.
    private var wholePieces: TokenTable?
    /// Whether each word of a piece has the same tokens when it is encoded alone. Then a text that is a single piece is encoded
    /// word by word, and words can be cached.
    private let cutsWords: Bool

    /// - Parameters:
    ///   - merges: the rules in `member["merges"]`.
    ///   - vocabulary: the tokens in `member["vocab"]`.
    ///   - isByteLevel: whether tokens are written in the byte alphabet.
    init(
        parsing member: TokenizerMember, merges: MergeTable, vocabulary: Vocabulary, isByteLevel: Bool
    ) throws(TokenizerError) {
        try BytePairEncoding.refuseUnsupported(member)
        self.merges = merges
        symbols = try InitialSymbols(parsing: member, vocabulary: vocabulary, isByteLevel: isByteLevel)
        let ignoresMerges = try member["ignore_merges"].bool(default: false)
        // The mark must have its own token, so that it ends a run of unknown characters.
        let hasMark = vocabulary.table.id(of: WordMark.content) != nil
        cutsWords = !isByteLevel && !ignoresMerges && !merges.joinsWords && hasMark
        if ignoresMerges {
            wholePieces = isByteLevel ? BytePairEncoding.tokensByBytes(vocabulary) : vocabulary.table
        }
    }

    /// The maximum length in bytes of a piece that is merged as a whole. Merging takes about 40 bytes of memory per byte. A
    /// longer piece is split between characters into parts of this size, so that a token across a split becomes several tokens.
    static let longestPiece = 1 << 20

    /// Appends the token ids of the reader's piece to `ids`.
    func encode(_ text: PieceReader, with scratch: inout EncodingScratch, into ids: inout [Int32]) {
        if text.piece.count > Self.longestPiece { return encodeParts(of: text, with: &scratch, into: &ids) }
        guard cutsWords else { return encodeWord(text, with: &scratch, into: &ids) }
        var word = text
        WordMark.forEachWord(in: text) { range in
            word.piece = range
            encodeWord(word, with: &scratch, into: &ids)
        }
    }

    private func encodeParts(of text: PieceReader, with scratch: inout EncodingScratch, into ids: inout [Int32]) {
        var part = text
        var start = text.piece.lowerBound
        while start < text.piece.upperBound, !Cancellation.isRequested {
            let end = text.startOfCharacter(at: min(start + Self.longestPiece, text.piece.upperBound))
            part.piece = start..<end
            encode(part, with: &scratch, into: &ids)
            start = end
        }
    }

    private func encodeWord(_ text: PieceReader, with scratch: inout EncodingScratch, into ids: inout [Int32]) {
        let key = PieceCache.Key(text)
        if let key, scratch.cache.append(key, to: &ids) { return }
        let start = ids.count
        if let whole = wholePieces?.id(of: text.content) {
            ids.append(whole)
        } else {
            scratch.merger.symbols.removeAll(keepingCapacity: true)
            symbols.append(text, to: &scratch.merger.symbols)
            scratch.merger.merge(by: merges)
            ids += scratch.merger.symbols
        }
        if let key { scratch.cache.set(key, ids[start...]) }
    }
}

extension BytePairEncoding {
    private static func refuseUnsupported(_ member: TokenizerMember) throws(TokenizerError) {
        // Old files have no `type`.
        if !member["type"].isNull, try member.type != "BPE" { throw member.unsupported(try member.type) }
        if let dropout = member["dropout"].value.double, dropout != 0 {
            throw member["dropout"].unsupported("\(dropout)")
        }
        for option in ["continuing_subword_prefix", "end_of_word_suffix"] where !member[option].isNull {
            let affix = try member[option].string
            if !affix.isEmpty { throw member[option].unsupported(affix) }
        }
    }

    private static func tokensByBytes(_ vocabulary: Vocabulary) -> TokenTable {
        var table = TokenTable()
        var bytes: [UInt8] = []
        for id in 0..<Int32(vocabulary.table.tokens.count) {
            guard let token = vocabulary.table.tokens[id], ByteAlphabet.decode(token, into: &bytes) else { continue }
            _ = table.insert(bytes, id: id)
        }
        return table
    }
}
