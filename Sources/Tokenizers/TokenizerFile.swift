import JSON

/// A parsed `tokenizer.json`. The vocabulary and the merges, hundreds of thousands of entries, are read directly into their
/// tables. The small rest becomes a JSON value.
struct TokenizerFile {
    /// The file without `model.vocab` and `model.merges`.
    let components: TokenizerMember
    let vocabulary: Vocabulary
    let merges: MergeTable

    init(_ bytes: [UInt8]) throws(TokenizerError) {
        let result: Result<TokenizerFile, TokenizerError> = bytes.withUnsafeBufferPointer { buffer in
            do throws(TokenizerError) { return .success(try TokenizerFile(buffer)) } catch { return .failure(error) }
        }
        self = try result.get()
    }

    private init(_ bytes: UnsafeBufferPointer<UInt8>) throws(TokenizerError) {
        // The file is validated once, so that its strings can be copied without checks.
        guard (try? UTF8Span(validating: bytes.span)) != nil else { throw .notJSON("not valid UTF-8") }
        var outline = Outline(parser: JSONParser(bytes: bytes))
        do throws(JSONError) { try outline.parse() } catch { throw .notJSON(error.description) }
        components = TokenizerMember(path: "", value: .object(outline.components))
        vocabulary = try Vocabulary(parsing: outline.vocabulary)
        merges = try MergeTable(parsing: outline.merges, vocabulary: vocabulary)
    }
}

/// The small members of the file, and parsers for the large ones. Merges may precede the vocabulary that they need.
private struct Outline {
    private var parser: JSONParser
    var components = JSONObject()
    var vocabulary: JSONParser?
    var merges: JSONParser?

    init(parser: JSONParser) {
        self.parser = parser
    }

    mutating func parse() throws(JSONError) {
        var isFirst = true
        try parser.open("{")
        while try parser.nextElement(before: "}", &isFirst) {
            let name = try parser.parseName()
            // Otherwise parts of a second member could replace parts of the first.
            guard components[name] == nil else { throw parser.error("the member '\(name)' occurs twice") }
            let isModel = name == "model" && parser.peek() == UInt8(ascii: "{")
            if name == "added_tokens" { try checkAddedTokens() }
            components[name] = isModel ? .object(try parseModel()) : try parseComponent(name, depth: 1)
        }
        try parser.finish()
    }

    private mutating func parseModel() throws(JSONError) -> JSONObject {
        var model = JSONObject()
        var isFirst = true
        try parser.open("{")
        while try parser.nextElement(before: "}", &isFirst) {
            let name = try parser.parseName()
            switch name {
            case "vocab" where vocabulary == nil:
                vocabulary = parser
                try parser.skipValue()
            case "merges" where merges == nil:
                merges = parser
                try parser.skipValue()
            case "vocab", "merges": throw parser.error("the member '\(name)' occurs twice")
            default: model[name] = try parseComponent("model.\(name)", depth: 2)
            }
        }
        return model
    }

    /// Parses a member after checking its size. JSON values take up to twenty times the memory of their text.
    private mutating func parseComponent(_ name: String, depth: Int) throws(JSONError) -> JSONValue {
        var end = parser
        try end.skipValue()
        let limit = TokenizerLimits.componentBytes
        guard name == "added_tokens" || end.position - parser.position <= limit else {
            throw parser.error("\(name) has \(end.position - parser.position) bytes, more than the limit of \(limit)")
        }
        return try parser.parseValue(depth: depth)
    }

    private func checkAddedTokens() throws(JSONError) {
        var parser = parser
        guard parser.peek() == UInt8(ascii: "[") else { return }
        let start = parser.position
        var count = 0
        var isFirst = true
        try parser.open("[")
        while try parser.nextElement(before: "]", &isFirst) {
            try parser.skipValue()
            count += 1
            guard count <= TokenizerLimits.addedTokens, parser.position - start <= 4 * TokenizerLimits.componentBytes
            else {
                throw self.parser.error(
                    """
                    added_tokens has more than the limit of \(TokenizerLimits.addedTokens) entries or \
                    \(4 * TokenizerLimits.componentBytes) bytes
                    """)
            }
        }
    }
}

extension Vocabulary {
    /// Reads the object at `parser`.
    fileprivate init(parsing parser: JSONParser?) throws(TokenizerError) {
        guard var parser, parser.peek() == UInt8(ascii: "{") else {
            throw .malformed(member: "model.vocab", expected: "an object")
        }
        // A token and its merge take about fifty bytes of the file.
        reserveCapacity(parser.bytes.count / 64)
        var token: [UInt8] = []
        var isFirst = true
        parser.position += 1
        while try parser.nextMember(&isFirst, name: &token) {
            guard let id = parser.parseIndex(), id < Vocabulary.maximumID else {
                throw .malformed(
                    member: "model.vocab." + String(decoding: token, as: UTF8.self),
                    expected: "a token id below \(Vocabulary.maximumID)")
            }
            try insert(token, id: Int32(id))
        }
    }
}

extension MergeTable {
    /// Reads the array at `parser`. Rules have two notations: `["a", "b"]` and `"a b"`.
    fileprivate init(parsing parser: JSONParser?, vocabulary: Vocabulary) throws(TokenizerError) {
        guard var parser, parser.peek() == UInt8(ascii: "[") else {
            throw .malformed(member: "model.merges", expected: "an array")
        }
        // Most tokens result from one rule.
        self.init(capacity: vocabulary.count)
        var pair: [UInt8] = []
        var isFirst = true
        var rank = 0
        var next: Int32 = 0
        parser.position += 1
        while try parser.nextRule(&isFirst) {
            let border = try parser.parseRule(into: &pair)
            let rule = border.flatMap { MergeTable.rule(pair, border: $0, vocabulary.table, guess: next) }
            guard let rule else {
                throw .malformed(member: "model.merges[\(rank)]", expected: "two tokens whose concatenation is a token")
            }
            set(left: rule.left, right: rule.right, rank: rank, merged: rule.merged)
            if let border, WordMark.begins(pair[border...]), !WordMark.ends(pair[..<border]) { joinsWords = true }
            rank += 1
            try TokenizerLimits.check(rank, of: "model.merges", "entries", atMost: TokenizerLimits.entries)
            next = rule.merged + 1
        }
    }

    /// - Parameters:
    ///   - pair: both tokens, concatenated.
    ///   - border: the start of the second token.
    ///   - guess: the probable id of the result, because vocabularies are usually in the order in which they were learned.
    static func rule(
        _ pair: [UInt8], border: Int, _ table: TokenTable, guess: Int32
    ) -> (left: Int32, right: Int32, merged: Int32)? {
        let isGuess = table.tokens[guess].map { $0 == pair[...] } ?? false
        return pair.withUnsafeBufferPointer { pair in
            guard let left = table.id(of: UnsafeBufferPointer(rebasing: pair[..<border])),
                let right = table.id(of: UnsafeBufferPointer(rebasing: pair[border...])),
                let merged = isGuess ? guess : table.id(of: pair)
            else { return nil }
            return (left, right, merged)
        }
    }
}

/// Converts errors of the parser to errors of the file.
extension JSONParser {
    fileprivate mutating func nextMember(_ isFirst: inout Bool, name: inout [UInt8]) throws(TokenizerError) -> Bool {
        do throws(JSONError) {
            guard try nextElement(before: "}", &isFirst) else { return false }
            try parseName(into: &name)
            return true
        } catch { throw .notJSON(error.description) }
    }

    fileprivate mutating func nextRule(_ isFirst: inout Bool) throws(TokenizerError) -> Bool {
        do throws(JSONError) { return try nextElement(before: "]", &isFirst) } catch {
            throw .notJSON(error.description)
        }
    }

    /// - Returns: the start of the second token, or `nil` if this is not a rule.
    fileprivate mutating func parseRule(into pair: inout [UInt8]) throws(TokenizerError) -> Int? {
        pair.removeAll(keepingCapacity: true)
        do throws(JSONError) {
            if peek() == UInt8(ascii: "\"") {
                try appendString(to: &pair)
                guard let border = pair.firstIndex(of: UInt8(ascii: " ")) else { return nil }
                pair.remove(at: border)
                return pair[border...].contains(UInt8(ascii: " ")) ? nil : border
            }
            guard peek() == UInt8(ascii: "[") else { return nil }
            var isFirst = true
            var borders: [Int] = []
            try open("[")
            while borders.count < 3, try nextElement(before: "]", &isFirst) {
                guard peek() == UInt8(ascii: "\"") else { return nil }
                borders.append(pair.count)
                try appendString(to: &pair)
            }
            return borders.count == 2 ? borders[1] : nil
        } catch { throw .notJSON(error.description) }
    }
}
