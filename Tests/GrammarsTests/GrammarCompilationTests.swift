import Testing

@testable import Basics
@testable import Grammars
@testable import JSON

/// Sources of up to 256 KB that are designed to take long to compile.
@Suite(.timeLimit(.minutes(10))) struct GrammarCompilationTests {
    private static let trie = VocabularyTrie(tokens: (0..<256).map { [UInt8($0)] })

    private static func schema(_ text: String) throws -> GrammarSource { .jsonSchema(try JSONValue(parsing: text)) }

    private static func list(_ count: Int, _ separator: String = ",", _ item: (Int) -> String) -> String {
        (0..<count).map(item).joined(separator: separator)
    }

    /// Forty schemas, each of which contains the next one twice.
    private static func doubling(_ keyword: String) -> String {
        let schemas = list(40) {
            "\"a\($0)\":{\(keyword):[{\"$ref\":\"#/$defs/a\($0 + 1)\"},{\"$ref\":\"#/$defs/a\($0 + 1)\"}]}"
        }
        return "{\"$ref\":\"#/$defs/a0\",\"$defs\":{\(schemas),\"a40\":{\"type\":\"object\"}}}"
    }

    @Test func `long sources compile`() throws {
        let chain = Self.list(13_000, "\n") { "r\($0) ::= r\($0 + 1)" }
        let sources = [
            GrammarSource.gbnf("\(chain)\nr13000 ::= \"a\"\nroot ::= r0"),
            .gbnf("root ::= r0\nr13000 ::= \"a\"\n" + chain.split(separator: "\n").reversed().joined(separator: "\n")),
            .gbnf("root ::= " + Self.list(15_000, " | ") { "\"t\($0)\"" }),
            .choice((0..<15_000).map { "text \($0 * 7_919 % 15_013)" }),
            .regex(String(repeating: "{", count: 150_000)), .regex(String(repeating: "{1", count: 80_000)),
            .regex("[" + String(repeating: "\\w", count: 80_000) + "]"), .regex(String(repeating: ".", count: 150_000)),
            try Self.schema(Self.doubling("\"allOf\"")),
            try Self.schema("{\"required\":[\(Self.list(8_000) { "\"n\($0)\"" })]}"),
            try Self.schema("{\"enum\":[\(Self.list(15_000) { "\($0 * 31)" })]}"),
            try Self.schema("{\"allOf\":[\(Self.list(2_000) { "{\"properties\":{\"n\($0)\":{}}}" })]}"),
        ]
        for source in sources { _ = try source.compile(Self.trie) }
    }

    @Test func `a source that takes too many steps to compile is refused`() throws {
        let doubling = Self.doubling("\"type\":\"object\",\"anyOf\"")
        let names = Self.list(4_000) { "\"n\($0)\":{}" }
        let sources = [
            try Self.schema(doubling),
            try Self.schema("{\"properties\":{\(names)},\"anyOf\":[\(Self.list(4_000) { _ in "{}" })]}"),
            try Self.schema(
                "{\"properties\":{\(names)},\"patternProperties\":{\(Self.list(1_000) { "\"^x\($0)$\":{}" })}}"),
        ]
        for source in sources {
            let error = #expect(throws: GrammarError.self) { try source.compile(Self.trie) }
            // Too complex or, if visits write much, too large.
            #expect(error?.reason.hasPrefix("is too ") == true, "\(error?.reason ?? "")")
        }
    }

    @Test func `a chain of references beyond the maximum depth is refused and does not crash`() throws {
        let chain = Self.list(5_000) { "\"a\($0)\":{\"allOf\":[{\"$ref\":\"#/$defs/a\($0 + 1)\"}]}" }
        let source = try Self.schema("{\"$ref\":\"#/$defs/a0\",\"$defs\":{\(chain),\"a5000\":{}}}")
        let error = #expect(throws: GrammarError.self) { try source.compile(Self.trie) }
        #expect(error?.reason.contains("nests more than 100") == true)
    }

    @Test func `objects can have thousands of optional properties, up to a limit`() throws {
        func names(_ count: Int) throws -> GrammarStep {
            let source = try Self.schema("{\"properties\":{\(Self.list(count) { "\"n\($0)\":{}" })}}")
            let grammar = try source.compile(Self.trie)
            return try grammar.step(from: try grammar.startPosition(), token: Int32(UInt8(ascii: "{")))
        }
        #expect(try names(3_000).mask.contains(Int32(UInt8(ascii: "\""))))
        #expect(throws: GrammarLimit.parallelParses(GrammarAutomaton.mostStacks)) { try names(5_000) }
    }

    private struct Stopped: CancellationToken {
        func shouldStop() -> Bool { true }
    }

    @Test func `compiling stops if the request has ended`() throws {
        let sources = [
            GrammarSource.gbnf("root ::= " + Self.list(15_000, " | ") { "\"t\($0)\"" }),
            .regex(String(repeating: ".", count: 150_000)),
            try Self.schema("{\"required\":[\(Self.list(8_000) { "\"n\($0)\"" })]}"),
        ]
        // Created before, because otherwise it would be incomplete for the other tests, too.
        let trie = Self.trie
        for source in sources {
            #expect(throws: GrammarError.cancelled) {
                try Cancellation.$token.withValue(Stopped()) { _ = try source.compile(trie) }
            }
        }
    }

    @Test func `an error shortens a long path`() throws {
        let name = String(repeating: "x", count: 10_000)
        let source = try Self.schema("{\"properties\":{\"\(name)\":{\"properties\":{\"y\":{\"contains\":{}}}}}}")
        let error = #expect(throws: GrammarError.self) { try source.compile(Self.trie) }
        #expect(error?.path == "properties.\(name.prefix(64))....properties.y.contains")
    }

    @Test func `a pattern that matches nothing is refused`() {
        let error = #expect(throws: GrammarError.self) { try GrammarSource.regex("[]a").compile(Self.trie) }
        #expect(error?.reason.contains("matches nothing") == true)
    }
}
