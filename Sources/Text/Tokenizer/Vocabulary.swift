/// The tokens of `model.vocab` by content and by id.
struct Vocabulary: Sendable {
    /// Ids are table indices, and a file must not make us allocate without bound.
    static let maximumID = 1 << 22

    private(set) var table = TokenTable()
    /// How many tokens the model has, added tokens not counted.
    let count: Int

    init(parsing member: TokenizerMember) throws(TokenizerError) {
        let tokens = try member.object
        count = tokens.count
        for (content, value) in tokens {
            guard let id = value.integer, 0..<Vocabulary.maximumID ~= id else {
                let path = "\(member.path).\(content)"
                throw .malformed(member: path, expected: "a token id below \(Vocabulary.maximumID)")
            }
            try insert(content, id: Int32(id))
        }
    }

    /// Adds an added token that the model does not have.
    mutating func insert(_ content: String, id: Int32) throws(TokenizerError) {
        guard table.insert(Array(content.utf8)[...], id: id) else {
            throw .inconsistent("two tokens have the id \(id)")
        }
    }

    static func checkedID(_ member: TokenizerMember) throws(TokenizerError) -> Int32 {
        let id = try member.integer
        guard 0..<maximumID ~= id else { throw member.expected("a token id below \(maximumID)") }
        return Int32(id)
    }
}
