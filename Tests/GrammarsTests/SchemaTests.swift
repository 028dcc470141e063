import Testing

@testable import Grammars
@testable import JSON

/// Keywords of JSON Schema in the forms of zod and pydantic: valid texts are accepted, and no others.
@Suite struct SchemaTests {
    private static func string(_ rest: String) -> String { "{\"type\":\"string\",\(rest)}" }

    static let numbers: [(String, [String], [String])] = [
        (
            #"{"type":"integer","minimum":-9007199254740991,"maximum":9007199254740991}"#,
            ["0", "-9007199254740991", "9007199254740991", "42"],
            ["9007199254740992", "-9007199254740992", "-0", "1.5"]
        ),
        (#"{"type":"integer","exclusiveMinimum":0,"maximum":9007199254740991}"#, ["1", "77"], ["0", "-1"]),
        (#"{"type":"integer","minimum":0.5,"maximum":2.5}"#, ["1", "2"], ["0", "3"]),
        (#"{"type":"integer","minimum":1e20,"maximum":1e20}"#, ["100000000000000000000"], ["99999999999999999999"]),
        (
            #"{"type":"number","exclusiveMinimum":0,"exclusiveMaximum":0.5}"#, ["0.25", "0.001", "0.49"],
            ["0", "0.5", "0.50", "0.0", "1", "-0.1"]
        ),
        (
            #"{"type":"number","minimum":-1.25,"maximum":3.5}"#,
            ["-1.25", "-1.2", "-0.5", "0", "3.5", "3.50", "3.4999", "2.75"], ["-1.26", "3.51", "-2", "4"]
        ),
        (
            #"{"type":"number","minimum":0.1,"exclusiveMaximum":0.125}"#, ["0.1", "0.12", "0.1249"],
            ["0.125", "0.09", "0.13"]
        ),
        (#"{"type":"number","exclusiveMaximum":1e-300,"minimum":0}"#, ["0", "0.0"], ["0.1", "1"]),
        (#"{"type":"number","minimum":0,"exclusiveMinimum":true}"#, ["0.5", "3"], ["0", "0.0"]),
        (#"{"type":"integer","multipleOf":5}"#, ["0", "15", "-20", "1005"], ["1", "-7", "1004"]),
        (#"{"type":"integer","multipleOf":7,"minimum":100,"maximum":5000}"#, ["105", "4998"], ["98", "100", "5005"]),
        (#"{"type":"integer","multipleOf":1000,"minimum":1}"#, ["1000", "25000"], ["0", "1500"]),
        (#"{"type":"number","multipleOf":0.01}"#, ["1", "0.25", "-3.1"], ["0.001", "562949953421313.1"]),
        (
            #"{"type":"number","multipleOf":0.25,"minimum":0}"#, ["3", "0.25", "1.50", "17.75"],
            ["0.3", "-0.25", "1.1"]
        ),
        (
            #"{"type":"number","multipleOf":0.01,"exclusiveMaximum":-0.25,"minimum":-14.085}"#,
            ["-0.26", "-14.08", "-1.5"],
            ["-0.25", "-0.4491", "-14.085", "-14.09"]
        ),
        (#"{"type":"number","multipleOf":2.5}"#, ["5", "2.5", "-7.5", "10"], ["2", "0.5", "3.5"]),
        (#"{"type":"number","multipleOf":1e-300}"#, ["1", "0.5"], []),
        (#"{"allOf":[{"type":"integer","multipleOf":4},{"multipleOf":6}]}"#, ["12", "-24"], ["4", "6", "8"]),
        (#"{"type":["integer","null"],"minimum":3}"#, ["3", "null"], ["2", "1.5"]),
        (#"{"type":"integer","not":{"enum":[0,5]},"minimum":-1,"maximum":6}"#, ["-1", "1", "4", "6"], ["0", "5"]),
        (#"{"type":"number","not":{"minimum":2,"maximum":3}}"#, ["1.9", "3.1", "-5"], ["2", "2.5", "3"]),
    ]

    static let strings: [(String, [String], [String])] = [
        (string(#""maxLength":1000000"#), [#""""#, #""abc""#], ["1"]),
        (string(#""pattern":"^[a-z]+$","maxLength":3"#), [#""a""#, #""abc""#], [#""abcd""#, #""""#]),
        (
            string(#""pattern":"^[a-z][a-z0-9_]*$","minLength":2,"maxLength":4"#), [#""a_""#, #""a123""#],
            [#""a""#, #""a1234""#]
        ),
        (string(#""pattern":"b","maxLength":2"#), [#""b""#, #""xb""#, #""☃b""#, #""\nb""#], [#""xxb""#, #""xx""#]),
        (string(#""format":"uri","minLength":1,"maxLength":2083"#), [#""https://example.org/a?b=c#d""#], [#""x""#]),
        (string(#""format":"uri","maxLength":14"#), [#""https://a.org""#], [#""https://example.org/a""#]),
        (
            string(#""format":"date-time","pattern":"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$""#),
            [#""2024-02-28T23:59:59Z""#], [#""2024-02-28T23:59:59+01:00""#, #""2024-02-30T23:59:59Z""#]
        ),
        (
            string(#""format":"uuid4""#), [#""123e4567-e89b-42d3-a456-426614174000""#],
            [#""123e4567-e89b-12d3-a456-426614174000""#]
        ),
        (string(#""format":"no-such-format","x-order":1"#), [#""anything""#], ["1"]),
        (
            string(#""pattern":"^(?!^[-+.]*$)[+-]?0*\\d*\\.?\\d*$""#), [#""1""#, #""-0.5""#, #"".5""#],
            [#""-""#, #"".""#, #""""#, #""a""#]
        ),
        (
            string(#""pattern":"^(?=.*[A-Z])(?=.*\\d).{4,}$""#), [#""aB3c""#, #""12X4x""#], [#""abcd1""#, #""A1""#]
        ),
        (string(#""not":{"const":"no"}"#), [#""nope""#, #""yes""#, #""n""#], [#""no""#]),
        (string(#""not":{"pattern":"^x"}"#), [#""ax""#, #""""#], [#""xa""#]),
        (string(#""not":{"minLength":3}"#), [#""ab""#], [#""abc""#]),
        (string(#""nullable":true"#), [#""a""#, "null"], ["1"]),
        (#"{"enum":["a","bb","ccc"],"minLength":2}"#, [#""bb""#, #""ccc""#], [#""a""#]),
        (#"{"enum":["a","b1"],"pattern":"\\d"}"#, [#""b1""#], [#""a""#]),
    ]

    static let objects: [(String, [String], [String])] = [
        (
            #"{"type":"object","propertyNames":{"type":"string"},"additionalProperties":{"type":"string"}}"#,
            ["{}", #"{"a":"b","c":"d"}"#], [#"{"a":1}"#]
        ),
        (
            #"{"type":"object","propertyNames":{"pattern":"^[a-z]+$","maxLength":2},"additionalProperties":{"type":"integer"}}"#,
            [#"{"ab":1}"#, "{}"], [#"{"abc":1}"#, #"{"A":1}"#]
        ),
        (
            #"{"type":"object","propertyNames":{"enum":["x","y"]},"additionalProperties":{"type":"integer"}}"#,
            ["{}", #"{"y":1}"#, #"{"x":1,"y":2}"#], [#"{"z":1}"#, #"{"x":1,"x":2}"#, #"{"x":true}"#]
        ),
        (
            #"{"properties":{"a":{},"b":{}},"propertyNames":{"maxLength":1,"not":{"const":"b"}}}"#,
            [#"{"a":1}"#, "{}"],
            [#"{"b":1}"#]
        ),
        (
            #"{"properties":{"a":{"type":"null"},"b":{"type":"null"},"c":{"type":"null"}},"minProperties":2}"#,
            [#"{"a":null,"c":null}"#, #"{"a":null,"b":null,"c":null}"#], ["{}", #"{"b":null}"#]
        ),
        (
            #"{"properties":{"a":{"type":"null"},"b":{"type":"null"},"c":{"type":"null"}},"maxProperties":1}"#,
            ["{}", #"{"c":null}"#], [#"{"a":null,"b":null}"#]
        ),
        (#"{"type":"object","additionalProperties":{"type":"null"},"minProperties":1}"#, [#"{"x":null}"#], ["{}"]),
        (#"{"type":"object","maxProperties":1}"#, ["{}", #"{"x":[1]}"#], [#"{"x":1,"y":2}"#]),
        (
            #"{"properties":{"a":{"type":"null"},"b":{"type":"null"}},"dependentRequired":{"a":["b"]}}"#,
            ["{}", #"{"b":null}"#, #"{"a":null,"b":null}"#], [#"{"a":null}"#]
        ),
        (
            #"{"properties":{"a":{"type":"null"},"b":{"type":"null"}},"dependencies":{"b":{"required":["a"]}}}"#,
            ["{}", #"{"a":null}"#, #"{"a":null,"b":null}"#], [#"{"b":null}"#]
        ),
        (
            #"{"allOf":[{"properties":{"a":{}},"additionalProperties":false}],"properties":{"b":{}}}"#,
            ["{}", #"{"a":1}"#], [#"{"b":1}"#]
        ),
        (
            #"{"properties":{"ab":{"type":"string"}},"patternProperties":{"^a":{"type":"null"}}}"#, ["{}"],
            [#"{"ab":null}"#]
        ),
        (
            #"{"properties":{"k":{"const":"us"},"zip":{"type":"string"}},"if":{"properties":{"k":{"const":"us"}},"required":["k"]},"then":{"required":["zip"]}}"#,
            [#"{"k":"us","zip":""}"#, #"{"zip":""}"#, "{}"], [#"{"k":"us"}"#]
        ),
        (
            #"{"type":"object","not":{"required":["a"]},"properties":{"a":{},"b":{}}}"#, [#"{"b":1}"#, "{}"],
            [#"{"a":1}"#]
        ),
    ]

    static let combinations: [(String, [String], [String])] = [
        (
            #"{"discriminator":{"propertyName":"k"},"oneOf":[{"type":"object","properties":{"k":{"const":"a"},"x":{"type":"integer"}},"required":["k"]},{"type":"object","properties":{"k":{"const":"b"}},"required":["k"]}]}"#,
            [#"{"k":"a","x":1}"#, #"{"k":"b"}"#], [#"{"k":"b","x":1}"#, "{}"]
        ),
        (
            #"{"oneOf":[{"type":"object","properties":{"k":{"const":"a","default":"a"}}},{"type":"object","properties":{"k":{"const":"b"}}}]}"#,
            [#"{"k":"a"}"#, #"{"k":"b"}"#], ["{}"]
        ),
        (#"{"oneOf":[{"type":"string"},{"type":"null"},{"type":"integer"}]}"#, [#""a""#, "null", "1"], ["1.5", "[]"]),
        (#"{"oneOf":[{"enum":["a","b"]},{"enum":["b","c"]}]}"#, [#""a""#, #""c""#], [#""b""#]),
        (#"{"oneOf":[{"type":"integer","maximum":5},{"type":"integer","minimum":3}]}"#, ["2", "6"], ["3", "5"]),
        (
            #"{"type":"object","properties":{"a":{"type":"null"},"b":{"type":"null"}},"oneOf":[{"required":["a"]},{"required":["b"]}]}"#,
            [#"{"a":null}"#, #"{"b":null}"#], ["{}", #"{"a":null,"b":null}"#]
        ),
        (#"{"not":{"type":"null"}}"#, ["1", #""a""#, "[]", "{}"], ["null"]),
        (#"{"not":{"type":["null","integer","number","array"]}}"#, [#""a""#, "true", "{}"], ["null", "1", "[]"]),
        (#"{"type":["string","null"],"not":{"type":"string"}}"#, ["null"], [#""a""#]),
        (#"{"type":"boolean","not":{"const":true}}"#, ["false"], ["true"]),
        (#"{"anyOf":[{"type":"string"},false]}"#, [#""a""#], ["1"]),
        (#"{"type":"string","anyOf":[{"type":"integer"},{"minLength":2}]}"#, [#""ab""#], [#""a""#, "1"]),
        (
            #"{"type":"array","items":[{"type":"null"},{"type":"boolean"}],"additionalItems":false}"#,
            ["[]", "[null, true]"], ["[true]", "[null, true, 1]"]
        ),
        (
            #"{"type":"array","prefixItems":[{"type":"null"},{"type":"boolean"}],"minItems":2,"maxItems":2}"#,
            ["[null,true]"], ["[]", "[null]", "[null,true,1]"]
        ),
        (#"{"type":"array","items":[{"type":"null"},false]}"#, ["[]", "[null]"], ["[null,1]"]),
        (
            #"{"allOf":[{"type":"array","items":{"type":"integer"}},{"items":{"minimum":3},"maxItems":1}]}"#,
            ["[]", "[3]"], ["[2]", "[3,4]"]
        ),
        (
            ##"{"$defs":{"n":{"type":"object","properties":{"c":{"type":"array","items":{"oneOf":[{"$ref":"#/$defs/n"},{"type":"null"}]}}},"required":["c"]}},"$ref":"#/$defs/n"}"##,
            [#"{"c":[]}"#, #"{"c":[null,{"c":[null]}]}"#], [#"{"c":[1]}"#]
        ),
    ]

    private static func check(_ cases: [(String, [String], [String])]) throws {
        for (schema, valid, invalid) in cases {
            let reader: GrammarReader
            do { reader = try GrammarReader(.jsonSchema(JSONValue(parsing: schema))) } catch {
                Issue.record("\(schema): \(error)")
                continue
            }
            for text in valid { #expect(try reader.reads(text), "\(schema): \(text)") }
            for text in invalid { #expect(try !reader.reads(text), "\(schema): \(text)") }
        }
    }

    @Test func `numbers`() throws { try Self.check(Self.numbers) }
    @Test func `strings`() throws { try Self.check(Self.strings) }
    @Test func `objects`() throws { try Self.check(Self.objects) }
    @Test func `combinations`() throws { try Self.check(Self.combinations) }

    private static func tool(_ schema: String, strict: Bool? = nil) throws -> JSONValue {
        var function: JSONObject = ["name": "f", "parameters": try JSONValue(parsing: schema)]
        if let strict { function["strict"] = .bool(strict) }
        return ["type": "function", "function": .object(function)]
    }

    @Test func `a tool that is not strict is enforced as far as possible`() throws {
        let schema =
            #"{"type":"object","properties":{"a":{"type":"array","contains":{}},"b":{"type":"integer","minimum":3},"c":{"type":"string","pattern":"a\\b"}},"required":["a","b","c"]}"#
        func call(_ text: String) -> String { #"<tool_call>{"name": "f", "arguments": \#(text)}</tool_call>"# }
        let reader = try GrammarReader(.calls([Self.tool(schema)], .json, isSingle: true, isOpen: false))
        #expect(try reader.reads(call(#"{"a":[1],"b":3,"c":"x"}"#)))
        #expect(try !reader.reads(call(#"{"a":[1],"b":2,"c":"x"}"#)))
        #expect(try !reader.reads(call(#"{"a":1,"b":3,"c":"x"}"#)))
        let error = #expect(throws: GrammarError.self) {
            try GrammarSource.calls([Self.tool(schema, strict: true)], .json, isSingle: true, isOpen: false).grammar()
        }
        #expect(error?.path == "[0].function.parameters.properties.c.pattern")
        let none = try GrammarReader(.calls([Self.tool("null")], .json, isSingle: true, isOpen: false))
        #expect(try none.reads(call("{}")))
    }

    @Test func `a tool that is not strict is not refused because of its size`() throws {
        let names = (0..<9_000).map { "\"n\($0)\":{\"type\":\"string\",\"maxLength\":\($0)}" }.joined(separator: ",")
        let source = GrammarSource.calls(
            [try Self.tool("{\"properties\":{\(names)}}")], .json, isSingle: true, isOpen: false)
        let reader = try GrammarReader(source)
        #expect(try reader.reads(#"<tool_call>{"name": "f", "arguments": {"x":1}}</tool_call>"#))
    }

    @Test(
        arguments: [
            ("my%20type", "my type"), ("my%20type", "my%20type"), ("Page%5BUser%5D", "Page[User]"), ("%C3%A9", "é"),
            ("a~1b%2F~0", "a/b/~"), ("", ""), ("50%", "50%"),
        ])
    func `references may be percent-encoded`(name: String, definition: String) throws {
        let schema: JSONValue = [
            "$ref": .string("#/$defs/\(name)"), "$defs": .object([definition: ["type": "string"]]),
        ]
        let reader = try GrammarReader(.jsonSchema(schema))
        #expect(try reader.reads(#""a""#))
        #expect(try !reader.reads("1"))
    }

    // MARK: Hostile sizes

    static let hostile: [String] = {
        let many = (0..<200).map { "{\"type\":\"object\",\"properties\":{\"p\($0)\":{}},\"required\":[\"p\($0)\"]}" }
        let tags = (0..<500).map { "{\"properties\":{\"k\":{\"const\":\"t\($0)\"}},\"required\":[\"k\"]}" }
        let nested = (0..<60).reduce("{\"type\":\"null\"}") { inner, _ in
            "{\"oneOf\":[\(inner),{\"type\":\"array\",\"items\":\(inner.utf8.count < 2_000 ? inner : "{}")}]}"
        }
        let pairs = (0..<12).map { "\"p\($0)\":[\"p\($0 + 1)\"]" }.joined(separator: ",")
        let names = (0...12).map { "\"p\($0)\":{}" }.joined(separator: ",")
        return [
            string(#""maxLength":1000000,"minLength":999999"#), string(#""maxLength":1e300"#),
            string(#""pattern":"^(?:a|b)*$","minLength":900000"#),
            string(#""pattern":"(?:.*[aeiou].{20})+","maxLength":5000"#),
            string(#""pattern":"^(?=.*a)(?=.*b)(?=.*c)(?=.*d)(?=.*e)(?=.*f)(?=.*g)(?=.*h).{8,64}$""#),
            #"{"type":"number","multipleOf":1e-300}"#, #"{"type":"number","multipleOf":1e300}"#,
            #"{"type":"number","multipleOf":0.000000999999,"minimum":1e200}"#,
            #"{"type":"integer","minimum":-1e308,"maximum":1e308}"#,
            #"{"type":"number","exclusiveMinimum":1e-320,"exclusiveMaximum":2e-320}"#,
            #"{"type":"integer","multipleOf":64,"minimum":1,"maximum":99999999999999999999999}"#,
            "{\"oneOf\":[\(many.joined(separator: ","))]}", "{\"oneOf\":[\(tags.joined(separator: ","))]}", nested,
            "{\"properties\":{\(names)},\"dependentRequired\":{\(pairs)}}",
            #"{"type":"array","minItems":1000000}"#, #"{"type":"object","maxProperties":1000000,"minProperties":1}"#,
            "{\"properties\":{\(names)},\"minProperties\":1000000,\"additionalProperties\":false}",
            "{\"type\":\"string\",\"not\":{\"enum\":[\((0..<9_000).map { "\"n\($0)\"" }.joined(separator: ","))]}}",
            ##"{"$defs":{"a":{"not":{"$ref":"#/$defs/a"}}},"$ref":"#/$defs/a"}"##,
            ##"{"$defs":{"a":{"oneOf":[{"$ref":"#/$defs/a"},{"$ref":"#/$defs/a"}]}},"$ref":"#/$defs/a"}"##,
            ##"{"$defs":{"a":{"enum":[[[1]]],"items":{"$ref":"#/$defs/a"}}},"$ref":"#/$defs/a"}"##,
        ]
    }()

    @Test(.timeLimit(.minutes(10)), arguments: hostile.indices)
    func `schemas of hostile sizes finish, with a grammar or an error with a path`(index: Int) throws {
        let source = GrammarSource.jsonSchema(try JSONValue(parsing: Self.hostile[index]))
        do {
            let grammar = try source.grammar()
            #expect(grammar.bytes < 16 << 20)
            var automaton = GrammarAutomaton(grammar)
            _ = try automaton.start()
        } catch let error as GrammarError {
            #expect(!error.reason.isEmpty)
        } catch let limit as GrammarLimit {
            #expect(!limit.description.isEmpty)
        }
    }
}

extension Grammar {
    /// The size of the schema in bytes.
    fileprivate var bytes: Int {
        elements.count * (MemoryLayout<Element>.stride + 1) + repetitions.count * MemoryLayout<Repetition>.stride
            + sets.count * MemoryLayout<ByteSet>.stride
    }
}
