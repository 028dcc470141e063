/// The tokens of `model.vocab` by content and by id.
struct Vocabulary: Sendable {
    /// Ids are table indices, so this limits the memory.
    static let maximumID = 1 << 22

    private(set) var table = TokenTable()
    /// The number of tokens.
    private(set) var count = 0
    /// The total size of all tokens in bytes.
    private var bytes = 0

    mutating func reserveCapacity(_ count: Int) {
        table.reserveCapacity(count)
    }

    mutating func insert(_ content: [UInt8], id: Int32) throws(TokenizerError) {
        guard table.insert(content, id: id) else {
            let name = String(decoding: content, as: UTF8.self)
            throw .inconsistent("the token \(name) or its id \(id) occurs twice")
        }
        count += 1
        bytes += content.count
        try TokenizerLimits.check(count, of: "model.vocab", "entries", atMost: TokenizerLimits.entries)
        try TokenizerLimits.check(bytes, of: "model.vocab", "bytes", atMost: TokenizerLimits.vocabularyBytes)
    }

    static func checkedID(_ member: TokenizerMember) throws(TokenizerError) -> Int32 {
        let id = try member.integer
        guard 0..<maximumID ~= id else { throw member.expected("a token id below \(maximumID)") }
        return Int32(id)
    }
}
