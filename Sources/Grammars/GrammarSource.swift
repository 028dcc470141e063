import Basics
import JSON

/// The constraint on a reply, as given in a request.
public enum GrammarSource: Sendable, Hashable {
    /// Any JSON object.
    case jsonObject
    /// A text that conforms to a JSON Schema.
    case jsonSchema(JSONValue)
    /// A text that a regular expression matches as a whole.
    case regex(String)
    /// One of some texts.
    case choice([String])
    /// A grammar in GBNF with the start rule `root`; see ``GBNFGrammar``.
    case gbnf(String)
    /// A grammar in Lark's notation with the start rule `start`; see ``LarkGrammar``.
    case lark(String)
    /// Text with parts that follow schemas; see ``StructuralTagGrammar``.
    case structuralTag(JSONValue)
    /// Tool calls; the tools are as in the API.
    ///
    /// - isSingle: only one call.
    /// - isOpen: from after `<tool_call>` to the end of the call.
    case calls([JSONValue], CallSyntax, isSingle: Bool, isOpen: Bool)
    /// One or the other.
    indirect case either(GrammarSource, GrammarSource)

    /// The format of calls, each between `<tool_call>` and `</tool_call>`.
    public enum CallSyntax: Sendable, Hashable {
        /// `{"name": ..., "arguments": {...}}`, as Hermes models write it.
        case json
        /// `<function=name><parameter=key>value</parameter></function>`, as Qwen3-Coder writes it.
        case xml
    }

    /// The texts that separate the parts of a reply. Each is one token in most vocabularies.
    public static let markers = ["<think>", "</think>", "<tool_call>", "</tool_call>"]

    /// Detects the notation of a grammar like vLLM: Lark unless a rule contains `::=`.
    public static func grammar(_ text: String) -> GrammarSource {
        LarkGrammar.isLikely(text) ? .lark(text) : .gbnf(text)
    }

    /// Structural tags in the newer form, with `format`, or in the older one, with `structures` and `triggers`.
    public static func structuralTags(_ tag: JSONValue) -> GrammarSource {
        .structuralTag(tag["format"] ?? StructuralTagGrammar.format(ofOlder: tag))
    }

    /// Maximum size in bytes of a schema, an expression, or all choices together.
    public static let mostBytes = 256 << 10

    /// The size of the source in bytes.
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

    /// Approximate memory in bytes.
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

    /// O(bytes * log(bytes)): at most about 200 ms. Checks ``Cancellation/isRequested``.
    ///
    /// - Parameter beginsWithSpace: whether line breaks and spaces may come first after reasoning. They may not if the text itself
    ///   may begin with white space, because the two could not be distinguished.
    /// - Throws: `GrammarError` that names what cannot be enforced, or the exceeded limit.
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

    /// A copy without the text from which schemas and tools were parsed, for long-term storage.
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
            // Schemas that are not strict never cause an error, not even by their size.
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
        let space = GrammarBuilder.Part.times(.choice([.text("\n"), .text(" ")]), least: 0, most: 2)
        return try builder.finish(root: body, behind: beginsWithSpace ? space : nil)
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
    /// The source as bytes, which are different for different sources.
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
