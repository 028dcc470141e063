/// The special tokens around an encoded text.
struct PostProcessor: Sendable {
    private(set) var prefix: [Int32] = []
    private(set) var suffix: [Int32] = []

    init(prefix: [Int32], suffix: [Int32]) {
        self.prefix = prefix
        self.suffix = suffix
    }

    init(parsing member: TokenizerMember) throws(TokenizerError) {
        if !member.isNull { try add(member) }
    }

    private mutating func add(_ member: TokenizerMember) throws(TokenizerError) {
        switch try member.type {
        case "Sequence":
            for part in try member["processors"].elements { try add(part) }
        case "ByteLevel": break  // It only changes offsets, which are not used.
        case "TemplateProcessing": try addTemplate(member)
        case let other: throw member.unsupported(other)
        }
    }

    private mutating func addTemplate(_ member: TokenizerMember) throws(TokenizerError) {
        var before: [Int32] = []
        var after: [Int32] = []
        var texts = 0
        for part in try member["single"].elements {
            if part["Sequence"].isNull {
                let name = try part["SpecialToken"]["id"].string
                let ids = try PostProcessor.ids(of: member["special_tokens"][name])
                if texts == 0 { before += ids } else { after += ids }
            } else {
                guard try part["Sequence"]["id"].string == "A" else { throw part.expected("the sequence A") }
                texts += 1
            }
        }
        guard texts == 1 else { throw member["single"].expected("a template with one sequence") }
        prefix = before + prefix
        suffix += after
    }

    private static func ids(of member: TokenizerMember) throws(TokenizerError) -> [Int32] {
        var ids: [Int32] = []
        for element in try member["ids"].elements { ids.append(try Vocabulary.checkedID(element)) }
        return ids
    }
}
