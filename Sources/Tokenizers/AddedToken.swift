/// A token that is searched for in the text itself, before the text is split into pieces.
struct AddedToken: Sendable {
    let id: Int32
    let content: String
    /// Omitted when decoding without special tokens, and encoded as ordinary text in untrusted text.
    let isSpecial: Bool
    /// Encoded as ordinary text in untrusted text: a special token, or a token in the chat template's literals.
    var isGuarded: Bool
    /// Searched for in the normalized text instead of the original text.
    let isNormalized: Bool
    /// Found only if no word character is next to it.
    let isSingleWord: Bool
    /// Includes the white space to the left.
    let stripsLeft: Bool
    /// Includes the white space to the right.
    let stripsRight: Bool

    /// - Parameter id: the id that the reference assigns. It ignores the id in the file.
    private init(parsing member: TokenizerMember, id: Int32) throws(TokenizerError) {
        self.id = id
        content = try member["content"].string
        isSpecial = try member["special"].bool(default: false)
        isGuarded = isSpecial
        isNormalized = try member["normalized"].bool(default: !isSpecial)
        isSingleWord = try member["single_word"].bool(default: false)
        stripsLeft = try member["lstrip"].bool(default: false)
        stripsRight = try member["rstrip"].bool(default: false)
    }

    /// Creates a token without options, which is searched for in the original text.
    init(id: Int32, content: String, isSpecial: Bool) {
        self.id = id
        self.content = content
        self.isSpecial = isSpecial
        isGuarded = isSpecial
        isNormalized = false
        isSingleWord = false
        stripsLeft = false
        stripsRight = false
    }

    /// Parses `added_tokens`, and adds to `vocabulary` the tokens that it does not contain.
    ///
    /// A token of the model keeps its id; other tokens get the next free ids. A file with different ids is rejected, because the
    /// reference would interpret it differently.
    static func parse(
        _ member: TokenizerMember, into vocabulary: inout Vocabulary
    ) throws(TokenizerError) -> [AddedToken] {
        if member.isNull { return [] }
        var tokens: [AddedToken] = []
        var next = Int32(vocabulary.count)
        var bytes = 0
        for element in try member.elements {
            let content = try element["content"].string
            guard !content.isEmpty else { throw element["content"].expected("a text that is not empty") }
            let path = element["content"].path
            try TokenizerLimits.check(content.utf8.count, of: path, "bytes", atMost: TokenizerLimits.addedTokenBytes)
            bytes += content.utf8.count
            try TokenizerLimits.check(bytes, of: "added_tokens", "bytes", atMost: TokenizerLimits.allAddedTokenBytes)
            let known = vocabulary.table.id(of: content)
            let id = known ?? next
            guard try Vocabulary.checkedID(element["id"]) == id else {
                throw .inconsistent("the added token \(content) has an id other than \(id), the id of its position")
            }
            if known == nil { try vocabulary.insert(Array(content.utf8), id: id) }
            next = max(next, id + 1)
            tokens.append(try AddedToken(parsing: element, id: id))
        }
        return tokens
    }
}

extension [AddedToken] {
    /// Returns the tokens, and marks those that occur in any of `literals` as guarded. Tokens that a chat template writes control
    /// the model, even if the file does not mark them as special. White space is not guarded.
    func guarding(_ literals: [String]) -> [AddedToken] {
        let found = AddedTokenMatcher(self) { [UInt8]($0.content.utf8) }.tokens(in: literals)
        return map { token in
            var token = token
            if found.contains(token.id), !token.content.allSatisfy(\.isWhitespace) { token.isGuarded = true }
            return token
        }
    }
}
