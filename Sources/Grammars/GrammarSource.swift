import Basics
import JSON

/// What a reply has to be like, as a request says it.
public enum GrammarSource: Sendable, Hashable {
    /// Any JSON object.
    case jsonObject
    /// A text that is valid under a JSON Schema.
    case jsonSchema(JSONValue)
    /// A text that a regular expression matches as a whole.
    case regex(String)
    /// One of some texts.
    case choice([String])
    /// What the rule `root` of a grammar in GBNF reads; see ``GBNFGrammar``.
    case gbnf(String)
    /// What the rule `start` of a grammar in Lark's notation reads; see ``LarkGrammar``.
    case lark(String)
    /// Text with parts that follow schemas; see ``StructuralTagGrammar``.
    case structuralTag(JSONValue)
    /// Calls of tools, which are as in the API.
    ///
    /// - isSingle: one call only.
    /// - isOpen: behind `<tool_call>`, up to the end of the call.
    case calls([JSONValue], CallSyntax, isSingle: Bool, isOpen: Bool)
    /// One or the other.
    indirect case either(GrammarSource, GrammarSource)

    /// How calls are written, each between `<tool_call>` and `</tool_call>`.
    public enum CallSyntax: Sendable, Hashable {
        /// `{"name": ..., "arguments": {...}}`, as Hermes models write it.
        case json
        /// `<function=name><parameter=key>value</parameter></function>`, as Qwen3-Coder writes it.
        case xml
    }

    /// The texts that a reply's parts are told apart by. Each is one token in most vocabularies.
    public static let markers = ["<think>", "</think>", "<tool_call>", "</tool_call>"]

    /// A grammar in the notation that its text is in, as vLLM tells them apart: Lark's unless a rule is written with `::=`.
    public static func grammar(_ text: String) -> GrammarSource {
        LarkGrammar.isLikely(text) ? .lark(text) : .gbnf(text)
    }

    /// Structural tags in the newer form, with `format`, or in the older one, with `structures` and `triggers`.
    public static func structuralTags(_ tag: JSONValue) -> GrammarSource {
        .structuralTag(tag["format"] ?? StructuralTagGrammar.format(ofOlder: tag))
    }

    /// Bytes of a schema, an expression, or all choices together, at most.
    public static let mostBytes = 256 << 10

    /// Whether it may begin with text that nothing binds, in which space at the beginning is of no account.
    public var mayBeFreeText: Bool { if case .structuralTag = self { true } else { false } }

    /// Bytes of what it was given as.
    public var bytes: Int {
        switch self {
        case .jsonObject: 0
        case .jsonSchema(let schema): schema.serialized.count
        case .regex(let pattern): pattern.utf8.count
        case .gbnf(let text), .lark(let text): text.utf8.count
        case .structuralTag(let format): format.serialized.count
        case .choice(let texts): texts.reduce(0) { $0 + $1.utf8.count }
        case .calls(let tools, _, _, _): tools.reduce(0) { $0 + $1.serialized.count }
        case .either(let one, let other): one.bytes + other.bytes
        }
    }

    /// Bytes of memory that it takes, about.
    public var memoryBytes: Int {
        switch self {
        case .jsonObject: 0
        case .jsonSchema(let schema): schema.memoryBytes
        case .regex(let pattern): pattern.utf8.count
        case .gbnf(let text), .lark(let text): text.utf8.count
        case .structuralTag(let format): format.memoryBytes
        case .choice(let texts): JSONValue.array(texts.map(JSONValue.string)).memoryBytes
        case .calls(let tools, _, _, _): JSONValue.array(tools).memoryBytes
        case .either(let one, let other): one.memoryBytes + other.memoryBytes
        }
    }

    /// O(bytes * log(bytes)): at most some 200 ms. Asks ``Cancellation/isRequested``.
    ///
    /// - Parameter beginsWithSpace: whether line breaks and spaces may come first, as behind reasoning. They may not where the
    ///   text itself may begin with them: nobody could tell them apart.
    /// - Throws: `GrammarError` that names what cannot be enforced, or the limit that is exceeded.
    public func compile(
        _ trie: VocabularyTrie, beginsWithSpace: Bool = false
    ) throws(GrammarError) -> CompiledGrammar {
        let compiled = CompiledGrammar(
            try grammar(beginsWithSpace: beginsWithSpace, markers: trie.markers), trie)
        let isEmpty: Bool
        do throws(GrammarLimit) {
            isEmpty = compiled.isDeadEnd(try compiled.startPosition())
        } catch {
            throw GrammarError(path: "", reason: error.description)
        }
        guard !isEmpty else { throw GrammarError(path: "", reason: "matches nothing") }
        return compiled
    }

    /// The same without the text that schemas and tools were parsed from, to be kept.
    public var detached: GrammarSource {
        switch self {
        case .jsonSchema(let schema): .jsonSchema(schema.detached)
        case .calls(let tools, let format, let isSingle, let isOpen):
            .calls(tools.map(\.detached), format, isSingle: isSingle, isOpen: isOpen)
        case .structuralTag(let format): .structuralTag(format.detached)
        case .either(let one, let other): .either(one.detached, other.detached)
        case .jsonObject, .regex, .choice, .gbnf, .lark: self
        }
    }

    /// - Parameter markers: as in ``VocabularyTrie/markers``.
    func grammar(
        beginsWithSpace: Bool = false, markers: [String: [UInt8]] = [:]
    ) throws(GrammarError) -> Grammar {
        do throws(GrammarError) {
            return try builtGrammar(beginsWithSpace: beginsWithSpace, markers: markers)
        } catch {
            guard case .calls(let tools, let format, let isSingle, let isOpen) = self, error.isLimit,
                error != .cancelled
            else { throw error }
            // Schemas that need not be followed strictly are refused for no reason, not even their size.
            let free = GrammarSource.calls(
                tools.map(\.withoutSchemaUnlessStrict), format, isSingle: isSingle, isOpen: isOpen)
            return try free.builtGrammar(beginsWithSpace: beginsWithSpace, markers: markers)
        }
    }

    private func builtGrammar(
        beginsWithSpace: Bool, markers: [String: [UInt8]]
    ) throws(GrammarError) -> Grammar {
        var builder = GrammarBuilder(markers: markers)
        let body = try part(&builder)
        guard beginsWithSpace else { return try builder.finish(root: body) }
        let rule = builder.declare()
        try builder.define(rule, body)
        let space = GrammarBuilder.Part.times(.choice([.text("\n"), .text(" ")]), least: 0, most: 2)
        var grammar = try builder.finish(root: .sequence([space, .rule(rule)]))
        grammar.hasLayout = try !GrammarProgress.mayBegin(grammar, Int32(rule), with: .space)
        if !grammar.hasLayout { grammar.root = Int32(rule) }
        return grammar
    }

    private func part(_ builder: inout GrammarBuilder) throws(GrammarError) -> GrammarBuilder.Part {
        switch self {
        case .jsonObject: return try JSONGrammar(&builder).object
        case .jsonSchema(let schema):
            return try JSONSchemaGrammar.part(schema, json: try JSONGrammar(&builder), &builder)
        case .calls(let tools, let format, let isSingle, let isOpen):
            return try CallGrammar.part(
                tools, format, isSingle: isSingle, isOpen: isOpen, json: try JSONGrammar(&builder), &builder)
        case .regex(let pattern): return try RegexGrammar.part(pattern, searches: false, &builder) { $0.utf8 }
        case .gbnf(let text): return try GBNFGrammar.part(text, &builder)
        case .lark(let text): return try LarkGrammar.part(text, &builder)
        case .structuralTag(let format):
            return try StructuralTagGrammar.part(format, json: try JSONGrammar(&builder), &builder)
        case .either(let one, let other): return .choice([try one.part(&builder), try other.part(&builder)])
        case .choice(let texts):
            guard !texts.isEmpty, !texts.contains("") else {
                throw GrammarError(path: "", reason: "needs at least one string, and none that is empty")
            }
            return .choice(texts.map { .text($0) })
        }
    }
}

extension GrammarSource {
    /// What it was given as, as bytes: different sources have different ones.
    var key: [UInt8] {
        var key: [UInt8] = []
        switch self {
        case .jsonObject: key.append(0)
        case .jsonSchema(let schema):
            key.append(1)
            schema.write(to: &key)
        case .regex(let pattern): key += [2] + pattern.utf8
        case .gbnf(let text): key += [3] + text.utf8
        case .lark(let text): key += [6] + text.utf8
        case .structuralTag(let format):
            key.append(7)
            format.write(to: &key)
        case .choice(let texts):
            key.append(4)
            for text in texts { JSONValue.writeString(text, to: &key) }
        case .calls(let tools, let format, let isSingle, let isOpen):
            key += [5, format == .json ? 0 : 1, isSingle ? 1 : 0, isOpen ? 1 : 0]
            for tool in tools { tool.write(to: &key) }
        case .either(let one, let other): key += [8] + one.key + [0xFF] + other.key
        }
        return key
    }
}
