import TestSupport
import Testing

@testable import Grammars
@testable import JSON

/// Arrays with unique elements.
@Suite(.timeLimit(.minutes(10))) struct UniqueItemsTests {
    private static func schema(_ items: String, _ rest: String = "") -> String {
        "{\"type\":\"array\",\"items\":\(items),\"uniqueItems\":true\(rest)}"
    }

    static let cases: [(String, [String], [String])] = [
        (
            schema(#"{"type":"string"}"#), ["[]", #"["a"]"#, #"["a","b", "ab"]"#, #"["","a"]"#, #"["a\n","a"]"#],
            [#"["a","a"]"#, #"["ab","b","ab"]"#, #"["",""]"#, #"["a", "\u0061"]"#, "[1]"]
        ),
        (schema(#"{"type":"integer"}"#), ["[0,1,10]", "[12,1]", "[-1, 1]"], ["[1,1]", "[12, 3,12]", "[0,-0]"]),
        (schema(#"{"type":"number","minimum":0}"#), ["[1,1.5]", "[0.25, 0.5]"], ["[1,1]", "[1,1.0]", "[0.5,0.50]"]),
        (
            schema(#"{"enum":["ab","ac",1,1.0,null]}"#, #","minItems":1"#),
            [#"["ab","ac",1,null]"#, #"[null]"#], [#"["ab","ab"]"#, "[1,1]", "[]", #"["ab","ac",1,null,"ab"]"#]
        ),
        (schema(#"{"type":"boolean"}"#), ["[true,false]", "[]"], ["[true,true]", "[true,false,true]"]),
        (
            schema(#"{"type":"string","pattern":"^[ab]$"}"#, #","minItems":2"#), [#"["a","b"]"#],
            [#"["a","a"]"#, #"["a"]"#]
        ),
        (
            schema(#"{"anyOf":[{"type":"integer","minimum":0,"maximum":3},{"type":"null"}]}"#), ["[0,null,3]"],
            ["[null,null]", "[4]"]
        ),
        (schema(#"{"type":"string","maxLength":1}"#), [#"["a","","é"]"#], [#"["é","é"]"#]),
        (
            #"{"type":"object","properties":{"t":\#(schema(#"{"type":"string"}"#)),"u":\#(schema(#"{"type":"string"}"#))}}"#,
            [#"{"t":["a"],"u":["a"]}"#], [#"{"t":["a","a"]}"#]
        ),
    ]

    @Test func `if several members are required, they have different names`() throws {
        let schema: JSONValue = [
            "type": "object", "minProperties": 2, "additionalProperties": ["type": "integer"],
            "propertyNames": ["pattern": "^[a-c]+$"],
        ]
        let reader = try GrammarReader(.jsonSchema(schema))
        for text in [#"{"a":1,"b":1}"#, #"{ "ab": 1, "a": 2,"c":3 }"#] { #expect(try reader.reads(text), "\(text)") }
        for text in [#"{"a":1}"#, #"{"a":1,"a":2}"#, "{}", #"{"a":1,"d":2}"#] {
            #expect(try !reader.reads(text), "\(text)")
        }
        #expect(try GrammarReader(.jsonSchema(["type": "object", "minProperties": 2])).reads(#"{"":[1],"x":{}}"#))
    }

    @Test func `arrays with different elements are accepted, others are not`() throws {
        for (schema, valid, invalid) in Self.cases {
            let reader: GrammarReader
            do { reader = try GrammarReader(.jsonSchema(JSONValue(parsing: schema))) } catch {
                Issue.record("\(schema): \(error)")
                continue
            }
            for text in valid { #expect(try reader.reads(text), "\(schema): \(text)") }
            for text in invalid { #expect(try !reader.reads(text), "\(schema): \(text)") }
        }
    }

    @Test func `elements that cannot be distinguished, or are too few, are refused with a path`() throws {
        for (schema, reason) in [
            (Self.schema("{}"), "strings, numbers"), (Self.schema(#"{"type":"array"}"#), "strings, numbers"),
            (Self.schema(#"{"type":"boolean"}"#, #","minItems":3"#), "only 2 different"),
            (Self.schema(#"{"type":"string"}"#, #","minItems":1001"#), "more than 1000"),
        ] {
            let value = try JSONValue(parsing: schema)
            let error = #expect(throws: GrammarError.self) { try GrammarSource.jsonSchema(value).grammar() }
            #expect(
                error?.path == "uniqueItems" && error?.reason.contains(reason) == true, "\(error?.description ?? "")")
        }
    }

    /// Parts of texts, some of which end one element and begin the next.
    private static let trie = VocabularyTrie(
        tokens: (0..<256).map { [UInt8($0)] }
            + [
                "ab", "a\"", "b\"", "\",\"", "\", \"", "\",", "\"]", "\"ab", "1,", "12", "2]", "null", ",1", "[\"a",
                "é",
            ].map {
                Array($0.utf8)
            })

    @Test func `masks have the allowed tokens, and lead to no dead end`() throws {
        var random = SeededGenerator(seed: 21)
        for (schema, _, _) in Self.cases {
            let value = try JSONValue(parsing: schema)
            let compiled = try GrammarSource.jsonSchema(value).compile(Self.trie)
            for _ in 0..<6 {
                var step = try compiled.firstStep()
                var text: [UInt8] = []
                for count in 0..<60 {
                    var allowed: [Int32] = []
                    for id in 0..<Int32(Self.trie.vocabularySize) where step.mask.contains(id) {
                        #expect(try compiled.reads(id, at: step.position), "\(schema), token \(id)")
                        allowed.append(id)
                    }
                    #expect(!allowed.isEmpty || step.mayEnd, "\(schema): \(String(decoding: text, as: UTF8.self))")
                    // Few characters, so that equal elements occur.
                    let likely = allowed.filter { id in
                        Self.trie.text(of: id).allSatisfy { Array("\"ab,[]12 {}:tu".utf8).contains($0) }
                    }
                    if step.mustEnd || step.mayEnd && count > 40 { break }
                    guard let id = (likely.isEmpty ? allowed : likely).randomElement(using: &random) else { break }
                    text += Self.trie.text(of: id)
                    step = try compiled.step(from: step.position, token: id)
                }
                guard step.mayEnd else { continue }
                var validator = SchemaValidator(root: value)
                var builder = GrammarBuilder()
                #expect(
                    try validator.isValid(JSONValue(parsing: text), value, &builder),
                    "\(String(decoding: text, as: UTF8.self))")
            }
        }
    }

    @Test func `large enumerations and hostile patterns finish`() throws {
        let values = (0..<20_000).map { "\"v\($0)\"" }.joined(separator: ",")
        for items in [
            "{\"enum\":[\(values)]}", #"{"type":"string","pattern":"^(a|b|ab)*(.{0,3}[aeiou]){20}$"}"#,
            #"{"type":"string","minLength":900000}"#, #"{"type":"integer","multipleOf":7}"#,
            #"{"type":"string","pattern":"^a{2000}$"}"#,
        ] {
            let source = GrammarSource.jsonSchema(try JSONValue(parsing: Self.schema(items, #","minItems":1"#)))
            _ = try? source.compile(Self.trie).firstStep()
        }
    }

    @Test func `a long list of given values takes no more work for its last elements than for its first`() throws {
        let letters = Array("abcdefghijklmnopqrst")
        let values = (0..<100).map { "\"\(letters[$0 % 20])\(letters[$0 / 20])-name\"" }
        let schema = try JSONValue(
            parsing: Self.schema("{\"enum\":[\(values.joined(separator: ","))]}", #","minItems":100"#))
        let compiled = try GrammarSource.jsonSchema(schema).compile(Self.trie)
        var random = SeededGenerator(seed: 8)
        var (position, token, text) = (try compiled.startPosition(), Int32?.none, [UInt8]())
        var most = 0
        while true {
            var computation = GrammarStepComputation(compiled, from: position, token: token)
            let step = try #require(try computation.run(units: .max, isCancelled: { false })?.get())
            most = max(most, computation.spentUnits)
            // What was found for shorter lists is what would be found anew.
            if random.oneIn(250) {
                let other = try GrammarSource.jsonSchema(schema).compile(Self.trie)
                var same = try other.firstStep()
                for byte in text { same = try other.step(from: same.position, token: Int32(byte)) }
                #expect(same.mask == step.mask, "\(String(decoding: text, as: UTF8.self))")
            }
            guard !step.mustEnd else { break }
            let allowed = (0..<Int32(Self.trie.vocabularySize)).filter { id in
                step.mask.contains(id) && Self.trie.text(of: id) != [0x20]
            }
            let next = try #require(allowed.randomElement(using: &random))
            (position, token) = (step.position, next)
            text += Self.trie.text(of: next)
        }
        let list = try #require(try JSONValue(parsing: text).array)
        #expect(Set(list.compactMap(\.string)).count == 100 && list.count == 100)
        #expect(most < 30_000, "\(most)")
        #expect(compiled.bytes <= GrammarMasks.mostBytes)
    }

    @Test func `a long list stays within the memory limit`() throws {
        let compiled = try GrammarSource.jsonSchema(JSONValue(parsing: Self.schema(#"{"type":"string"}"#))).compile(
            Self.trie)
        var step = try compiled.firstStep()
        func append(_ text: String) throws {
            for byte in text.utf8 {
                #expect(step.mask.contains(Int32(byte)))
                step = try compiled.step(from: step.position, token: Int32(byte))
            }
        }
        try append("[\"x\"")
        for count in 0..<200 { try append(",\"item \(count)\"") }
        try append(",\"item 7")
        #expect(!step.mask.contains(Int32(UInt8(ascii: "\""))) && step.mask.contains(Int32(UInt8(ascii: "7"))))
        #expect(compiled.bytes <= GrammarMasks.mostBytes)
    }
}
