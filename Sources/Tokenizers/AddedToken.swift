/// A token that is found in the text itself, before the model sees it.
struct AddedToken: Sendable {
    let id: Int32
    let content: String
    /// Left out when decoding without special tokens, and ordinary text when encoding untrusted text.
    let isSpecial: Bool
    /// Ordinary text when encoding untrusted text: a special token, or one that the chat template writes.
    var isGuarded: Bool
    /// Found in the normalised text instead of the raw one.
    let isNormalized: Bool
    /// Only found where no word character stands beside it.
    let isSingleWord: Bool
    /// Swallows the white space to the left.
    let stripsLeft: Bool
    /// Swallows the white space to the right.
    let stripsRight: Bool

    /// - Parameter id: the id that the reference gives, which ignores the one in the file.
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

    /// Reads `added_tokens`, and adds to `vocabulary` those that the model lacks.
    ///
    /// A token of the model keeps its id, another takes the next free one; a file that says otherwise is refused, since
    /// it would mean one thing here and another to the reference.
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
                throw .inconsistent("the added token \(content) says another id than \(id), which it has by its place")
            }
            if known == nil { try vocabulary.insert(Array(content.utf8), id: id) }
            next = max(next, id + 1)
            tokens.append(try AddedToken(parsing: element, id: id))
        }
        return tokens
    }
}

extension [AddedToken] {
    /// The tokens, with those guarded that occur in any of `literals`: what a chat template writes itself steers the model,
    /// also where the file does not call it special. White space steers nothing.
    func guarding(_ literals: [String]) -> [AddedToken] {
        let found = AddedTokenMatcher(self) { [UInt8]($0.content.utf8) }.tokens(in: literals)
        return map { token in
            var token = token
            if found.contains(token.id), !token.content.allSatisfy(\.isWhitespace) { token.isGuarded = true }
            return token
        }
    }
}
