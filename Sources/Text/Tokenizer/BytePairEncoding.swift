/// Byte-level byte pair encoding (Sennrich et al., https://arxiv.org/abs/1508.07909): the model of `tokenizer.json`.
struct BytePairEncoding: Sendable {
    private var merges: MergeTable
    /// The token of every single byte; `nil` where the vocabulary has none.
    private var byteTokens: [Int32?]
    /// With `ignore_merges`, all tokens by the bytes they stand for: a piece that is a token is not taken apart.
    private var wholePieces: TokenTable?
    private let unknown: Int32?
    private let fusesUnknown: Bool

    /// - Parameter vocabulary: the tokens of `member["vocab"]`.
    init(parsing member: TokenizerMember, vocabulary: Vocabulary) throws(TokenizerError) {
        try BytePairEncoding.refuseUnsupported(member)
        fusesUnknown = try member["fuse_unk"].bool(default: false)
        unknown = try BytePairEncoding.parseUnknown(member["unk_token"], vocabulary)
        merges = try BytePairEncoding.parseMerges(member["merges"], vocabulary)
        byteTokens = ByteAlphabet.characters.map { vocabulary.table.id(of: String($0)) }
        if try member["ignore_merges"].bool(default: false) {
            wholePieces = BytePairEncoding.tokensByBytes(vocabulary)
        }
    }

    /// Appends the token ids of the piece of `bytes` at `piece` to `ids`.
    func encode(_ bytes: [UInt8], _ piece: Range<Int>, with merger: inout PieceMerger, into ids: inout [Int32]) {
        if let whole = wholePieces?.id(of: bytes[piece]) {
            ids.append(whole)
            return
        }
        merger.symbols.removeAll(keepingCapacity: true)
        var followsUnknown = false
        for byte in bytes[piece] {
            if let token = byteTokens[Int(byte)] {
                merger.symbols.append(token)
                followsUnknown = false
            } else if let unknown {
                if !(followsUnknown && fusesUnknown) { merger.symbols.append(unknown) }
                followsUnknown = true
            }
            // Without an unknown token the reference drops such a byte.
        }
        merger.merge(by: merges)
        ids += merger.symbols
    }
}

extension BytePairEncoding {
    private static func refuseUnsupported(_ member: TokenizerMember) throws(TokenizerError) {
        // Old files do not name the type.
        if !member["type"].isNull, try member.type != "BPE" { throw member.unsupported(try member.type) }
        if try member["byte_fallback"].bool(default: false) { throw member["byte_fallback"].unsupported("true") }
        if let dropout = member["dropout"].value.double, dropout != 0 {
            throw member["dropout"].unsupported("\(dropout)")
        }
        for option in ["continuing_subword_prefix", "end_of_word_suffix"] where !member[option].isNull {
            let affix = try member[option].string
            if !affix.isEmpty { throw member[option].unsupported(affix) }
        }
    }

    private static func parseUnknown(
        _ member: TokenizerMember, _ vocabulary: Vocabulary
    ) throws(TokenizerError) -> Int32? {
        if member.isNull { return nil }
        guard let id = vocabulary.table.id(of: try member.string) else {
            throw member.expected("a token of the vocabulary")
        }
        return id
    }

    private static func parseMerges(
        _ member: TokenizerMember, _ vocabulary: Vocabulary
    ) throws(TokenizerError) -> MergeTable {
        guard let rules = member.value.array else { throw member.expected("an array") }
        var merges = MergeTable(capacity: rules.count)
        for (rank, rule) in rules.enumerated() {
            guard let (left, right) = pair(rule), let leftID = vocabulary.table.id(of: left[...]),
                let rightID = vocabulary.table.id(of: right[...]),
                let merged = vocabulary.table.id(of: (left + right)[...])
            else {
                let path = "\(member.path)[\(rank)]"
                throw .malformed(member: path, expected: "two tokens that are a third together")
            }
            merges.set(left: leftID, right: rightID, rank: rank, merged: merged)
        }
        return merges
    }

    /// Both ways of writing a rule: `["a", "b"]` and `"a b"`.
    private static func pair(_ rule: JSONValue) -> ([UInt8], [UInt8])? {
        if let parts = rule.array, parts.count == 2, let left = parts[0].string, let right = parts[1].string {
            return (Array(left.utf8), Array(right.utf8))
        }
        guard let parts = rule.string?.utf8.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false),
            parts.count == 2
        else { return nil }
        return (Array(parts[0]), Array(parts[1]))
    }

    private static func tokensByBytes(_ vocabulary: Vocabulary) -> TokenTable {
        var table = TokenTable()
        for id in 0..<Int32(vocabulary.table.tokens.count) {
            guard let token = vocabulary.table.tokens[id], let bytes = ByteAlphabet.decode(token) else { continue }
            _ = table.insert(bytes[...], id: id)
        }
        return table
    }
}
