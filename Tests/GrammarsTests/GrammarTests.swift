import Foundation
import TestSupport
import Testing

@testable import Grammars
@testable import JSON

@Suite struct GrammarTests {
    /// Schemas with texts that must be accepted and others that must not.
    private static let schemas: [(schema: String, valid: [String], invalid: [String])] = [
        (#"{"type": "boolean"}"#, ["true", "false"], ["null", "tru", "truee", "\"true\"", ""]),
        (#"{"type": ["null", "integer"]}"#, ["null", "0", "-7", "120"], ["01", "1.5", "-", "1e3", "--1"]),
        (#"{"type": "number"}"#, ["0", "-0.5", "12.25", "1e9", "3E-2"], ["1.", ".5", "01", "+1", "1e", "NaN"]),
        (
            #"{"type": "string"}"#, [#""""#, #""é ☃ 𝄞""#, #""\" \\ \n \u00e9""#],
            [#""a"#, "a", "\"\n\"", #""\x""#, #""\ud800""#]
        ),
        (
            #"{"type": "string", "minLength": 2, "maxLength": 3}"#, [#""ab""#, #""é☃x""#, #""\n\"""#],
            [#""a""#, #""abcd""#]
        ),
        (
            #"{"enum": ["red", 5, null, {"a": [1]}]}"#, [#""red""#, "5", "null", #"{"a":[1]}"#],
            [#""blue""#, "55", "nul"]
        ),
        (#"{"type": "string", "enum": ["a", 5]}"#, [#""a""#], ["5"]),
        (#"{"const": "x"}"#, [#""x""#], [#""y""#]),
        (
            #"{"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}, "c": true}, "required": ["b"]}"#,
            [
                #"{"a":1,"b":"x"}"#, #"{"a": 1, "b": "x"}"#, #"{"b":"x"}"#, #"{"b": "x", "c": [null, {"d": 1}]}"#,
                "{\n  \"b\": \"x\"\n}",
            ],
            [
                #"{}"#, #"{"a":1}"#, #"{"b":"x","a":1}"#, #"{"a":"x","b":"x"}"#, #"{"b":"x",}"#, #"{,"b":"x"}"#,
                #"{"b":"x","d":1}"#,
                "{\"b\":   \"x\"}",
            ]
        ),
        (#"{"type": "object", "additionalProperties": false}"#, ["{}", "{ }"], [#"{"a":1}"#]),
        (#"{"type": "object"}"#, ["{}", #"{"a":1,"b":[{}]}"#], ["[]", #"{"a"}"#, #"{1:2}"#]),
        (#"{"additionalProperties": {"type": "integer"}}"#, ["{}", #"{"x":1,"y":-2}"#], [#"{"x":"1"}"#]),
        (#"{"required": ["k"], "additionalProperties": {"type": "null"}}"#, [#"{"k":null}"#], ["{}", #"{"k":1}"#]),
        (
            #"{"patternProperties": {"^x-[a-z]+$": {"type": "integer"}}, "additionalProperties": false}"#,
            ["{}", #"{"x-a":1, "x-b":2}"#], [#"{"y":1}"#, #"{"x-a":"1"}"#, #"{"x-":1}"#]
        ),
        (
            #"{"properties": {"id": {"minimum": 0}, "n": true}, "required": ["ix"], "patternProperties": {"^i": {"type": "integer"}}}"#,
            [#"{"id":1,"n":"x","ix":5}"#, #"{"ix":-1}"#], [#"{"id":"a","ix":1}"#, #"{"ix":"b"}"#, #"{"id":-1,"ix":1}"#]
        ),
        (
            #"{"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 3}"#, ["[1]", "[1, 2,3]"],
            ["[]", "[1,2,3,4]", "[1,]", "[,1]"]
        ),
        (#"{"type": "array"}"#, ["[]", "[ ]", #"[1, "a", [null]]"#], ["[1 2]"]),
        (#"{"items": false}"#, ["[]"], ["[1]"]),
        (
            #"{"prefixItems": [{"type": "string"}, {"type": "integer"}], "items": {"type": "null"}, "minItems": 1}"#,
            [#"["a"]"#, #"["a", 1]"#, #"["a",1,null,null]"#], ["[]", "[1]", #"["a",null]"#, #"["a",1,2]"#]
        ),
        (
            #"{"anyOf": [{"type": "integer"}, {"type": "string", "maxLength": 1}]}"#, ["12", #""x""#],
            [#""xy""#, "null"]
        ),
        (#"{"oneOf": [{"const": 1}, {"const": 2}], "description": "x"}"#, ["1", "2"], ["3"]),
        (
            #"{"type": "object", "properties": {"k": {"type": "string"}}, "required": ["k"], "anyOf": [{"properties": {"n": {"type": "null"}}, "required": ["n"]}, {"properties": {"m": {"const": 1}}}]}"#,
            [#"{"k":"","n":null}"#, #"{"k":"","m":1}"#, #"{"k":""}"#], [#"{"n":null}"#, #"{"k":"","n":1}"#]
        ),
        (
            ##"{"$defs": {"node": {"type": "object", "properties": {"v": {"type": "integer"}, "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}}, "required": ["v", "next"]}}, "$ref": "#/$defs/node"}"##,
            [#"{"v":1,"next":null}"#, #"{"v":1,"next":{"v":2,"next":{"v":3,"next":null}}}"#],
            [#"{"v":1}"#, #"{"v":1,"next":{}}"#]
        ),
        (##"{"type": "array", "items": {"$ref": "#"}}"##, ["[]", "[[], [[]]]"], ["[1]", "[[]"]),
        (
            #"{"allOf": [{"properties": {"a": {"type": "integer"}}, "required": ["a"]}, {"properties": {"a": {"minimum": 3}, "b": {"type": "null"}}}]}"#,
            [#"{"a":3}"#, #"{"a":30,"b":null}"#], [#"{"a":2}"#, "{}"]
        ),
        (
            #"{"type": "integer", "minimum": 8, "maximum": 120}"#, ["8", "9", "10", "99", "100", "119", "120"],
            ["7", "121", "0", "-8", "200", "1000", "08"]
        ),
        (
            #"{"type": "integer", "minimum": -12, "exclusiveMaximum": 3}"#, ["-12", "-1", "0", "2"],
            ["-13", "3", "-20"]
        ),
        (#"{"type": "integer", "exclusiveMinimum": 99}"#, ["100", "123456"], ["99", "9", "-100"]),
        (
            #"{"type": "number", "minimum": 0, "maximum": 1}"#, ["0", "1", "0.5", "1.0", "0.001"],
            ["1.1", "-0.5", "2", "1.01"]
        ),
        (
            #"{"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 2}"#, ["0.5", "1", "1.75"],
            ["0", "2", "0.0", "2.0", "-1"]
        ),
        (
            #"{"type": "number", "minimum": -1, "maximum": 1}"#, ["-1", "-0.5", "0", "0.25", "1.0"],
            ["-1.5", "1.5", "-2"]
        ),
        (#"{"type": "number", "maximum": -2}"#, ["-2", "-2.5", "-10"], ["-1.5", "-1", "0", "2"]),
        (
            #"{"type": "string", "pattern": "^[A-Z]{2}-\\d+$"}"#, [#""AB-1""#, #""XY-123""#],
            [#""AB-""#, #""aB-1""#, #""AB-1x""#]
        ),
        (#"{"type": "string", "pattern": "b+c"}"#, [#""abbcd""#, #""bc""#], [#""ac""#, #""""#]),
        (#"{"type": "string", "pattern": "^[\"\\\\\\n]+$"}"#, [#""\"\\\n""#], [#""a""#]),
        (
            #"{"type": "string", "format": "date"}"#, [#""2024-02-28""#, #""1999-12-31""#],
            [#""2024-13-01""#, #""2024-02-30""#, #""x""#]
        ),
        (
            #"{"type": "string", "format": "date-time"}"#,
            [#""2024-02-28T23:59:59Z""#, #""2024-02-28T01:02:03.5+01:00""#],
            [#""2024-02-28""#, #""2024-02-28T24:00:00Z""#]
        ),
        (#"{"type": "string", "format": "uuid"}"#, [#""123e4567-e89b-12d3-a456-426614174000""#], [#""123e4567""#]),
        (#"{"type": "string", "format": "email"}"#, [#""a.b@example.org""#], [#""a@b""#, #""@x.org""#]),
        (#"{"type": "string", "format": "ipv4"}"#, [#""192.168.0.255""#], [#""256.1.1.1""#, #""1.2.3""#]),
        ("true", ["1", "[]", #""x""#], ["", "x"]),
        ("{}", [#"{"a":null}"#, "1"], ["{"]),
    ]

    @Test func `a schema accepts valid texts and no others`() throws {
        for (schema, valid, invalid) in Self.schemas {
            let reader = try GrammarReader(.jsonSchema(JSONValue(parsing: schema)))
            for text in valid { #expect(try reader.reads(text), "\(schema): \(text)") }
            for text in invalid { #expect(try !reader.reads(text), "\(schema): \(text)") }
        }
    }

    @Test(
        arguments: [
            (
                #"{"type":"object","properties":{"a":{"type":"array","contains":{}}}}"#, "properties.a.contains",
                "cannot be enforced"
            ),
            (#"{"unevaluatedProperties":false}"#, "unevaluatedProperties", "cannot be enforced"),
            (#"{"type":"array","uniqueItems":true}"#, "uniqueItems", "strings, numbers"),
            (#"{"type":"integer","multipleOf":0}"#, "multipleOf", "above 0"),
            (#"{"type":"integer","multipleOf":1.2345678901234e-5}"#, "multipleOf", "12 digits"),
            (#"{"patternProperties":{"a":true,"b":true}}"#, "patternProperties.a", "several patterns"),
            (#"{"type":"integer","not":{"minimum":0,"multipleOf":2},"minimum":1}"#, "not", "cannot be told apart"),
            (
                #"{"oneOf":[{"type":"integer","multipleOf":3},{"type":"integer","multipleOf":5}]}"#, "oneOf[1]",
                "told apart"
            ),
            (
                #"{"type":"object","minProperties":2,"patternProperties":{"^a":{}}}"#, "minProperties",
                "above 1 together"
            ),
            (#"{"type":"string","pattern":"^(?=.*a","maxLength":3}"#, "pattern", "lookaround"),
            (#"{"properties":{"a":{}},"not":{"maxProperties":1}}"#, "not", "greater than the number"),
            (#"{"not":{"type":"integer"},"type":"number"}"#, "", "not whole"),
            (#"{"type":"string","maxLength":-1}"#, "maxLength", "not negative"),
            (#"{"patternProperties":{"(?=a)":true}}"#, "patternProperties.(?=a)", "lookaround"),
            (
                #"{"properties":{"ab":{"type":"string"}},"patternProperties":{"^a":{"type":"null"}},"required":["ab"]}"#,
                "type", "allows nothing together"
            ),
            (#"{"type":"string","pattern":"(?=a)"}"#, "pattern", "lookaround"),
            (
                #"{"type":"string","pattern":"a\\b"}"#, "pattern", #"has '\b', which cannot be enforced: 'a\b'"#
            ),
            (#"{"type":"string","pattern":"^a|b"}"#, "pattern", "anchors beside alternatives"),
            (#"{"type":"string","pattern":"^a$","minLength":2}"#, "pattern", "together"),
            (#"{"type":"date"}"#, "type", "one or more of"),
            (#"{"type":"integer","minimum":0.25,"maximum":0.75}"#, "", "allows no number"),
            (#"{"type":"integer","minimum":3,"maximum":2}"#, "", "allows no number"),
            (#"{"$ref":"http://x/y"}"#, "$ref", "refers to 'http://x/y', which is outside"),
            (##"{"$ref":"#/$defs/x"}"##, "$ref", "refers to '#/$defs/x', which does not exist"),
            (##"{"$ref":"#"}"##, "", "begins with itself"),
            (##"{"allOf":[{"$ref":"#"}]}"##, "", "itself"),
            (#"{"enum":[]}"#, "enum", "not empty"),
            (#"{"type":"string","enum":[1]}"#, "enum", "allows nothing"),
            (#"{"required":["a"],"additionalProperties":false}"#, "required", "'a'"),
            (#"{"type":"string","minLength":1000001}"#, "minLength", "1000000"),
            ("false", "", "allows nothing"),
            ("5", "", "must be an object"),
        ] as [(String, String, String)])
    func `a keyword that cannot be enforced is refused with its path`(schema: String, path: String, reason: String)
        throws
    {
        let value = try JSONValue(parsing: schema)
        let error = #expect(throws: GrammarError.self) { try GrammarSource.jsonSchema(value).grammar() }
        #expect(error?.path.hasSuffix(path) == true, "\(error?.path ?? "")")
        #expect(error?.reason.contains(reason) == true, "\(error?.reason ?? "")")
    }

    @Test(
        arguments: [
            ("[a-c]x{2,3}", ["axx", "cxxx"], ["ax", "dxx", "axxxx"]),
            ("(?:ab|c)*d?", ["", "d", "abcabd"], ["abc d", "a"]),
            (#"\d{3}-\w+\s?"#, ["123-a_b ", "000-x"], ["12-a", "123-"]),
            ("[^a-z\\]]+", ["A1[", "é☃"], ["a", "]", ""]),
            ("^.é{0,}$", ["xéé", "☃"], ["\n", "é\n"]),
            (#"\u00e9\x41[\-.]"#, ["éA-", "éA."], ["eA-"]),
            ("a{,2}", ["a{,2}"], ["aa"]),
            ("x+?y", ["xy", "xxy"], ["y"]),
        ] as [(String, [String], [String])])
    func `a regular expression matches the whole text`(pattern: String, valid: [String], invalid: [String]) throws {
        let reader = try GrammarReader(.regex(pattern))
        for text in valid { #expect(try reader.reads(text), "\(text)") }
        for text in invalid { #expect(try !reader.reads(text), "\(text)") }
    }

    @Test func `choices are texts`() throws {
        let reader = try GrammarReader(.choice(["yes", "yesterday", "né"]))
        #expect(try reader.reads("yes") && reader.reads("yesterday") && reader.reads("né"))
        #expect(try !reader.reads("yest") && !reader.reads("no"))
        #expect(throws: GrammarError.self) { try GrammarSource.choice([]).grammar() }
    }

    // MARK: Masks

    /// A vocabulary of letters and of pieces of JSON.
    private static let trie = VocabularyTrie(
        tokens: (0..<256).map { [UInt8($0)] }
            + [
                "{\"", "\":", "\": ", "\",", "\"}", "\"]", "},", "}}", "[\"", "]}", "null", "true", "false", "abc", "a",
                "\\\"", "\\n", "12",
                "0.5", ", ", "  ", "\n  ", "é", "☃\"", "name", "value", "\",\"", "\u{1F600}",
            ].map { Array($0.utf8) } + [[]])

    @Test func `a mask has the tokens that can be read, and no others`() throws {
        var random = SeededGenerator(seed: 3)
        for (schema, _, _) in Self.schemas {
            let source = GrammarSource.jsonSchema(try JSONValue(parsing: schema))
            let compiled = try source.compile(Self.trie)
            var step = try compiled.firstStep()
            for _ in 0..<30 {
                var allowed: [Int32] = []
                for id in 0..<Int32(Self.trie.vocabularySize) {
                    let isReadable = try compiled.reads(id, at: step.position)
                    #expect(step.mask.contains(id) == isReadable, "\(schema), token \(id)")
                    if isReadable { allowed.append(id) }
                }
                #expect(!allowed.isEmpty || step.mayEnd, "\(schema) has a dead end")
                guard let id = allowed.randomElement(using: &random) else { break }
                step = try compiled.step(from: step.position, token: id)
            }
        }
    }

    @Test func `texts sampled with masks are valid`() throws {
        var random = SeededGenerator(seed: 4)
        var finished = 0
        for round in 0..<400 {
            let schema = SchemaGenerator.schema(depth: 3, &random)
            let root: JSONValue = [
                "$defs": ["tree": ["type": "array", "items": ["$ref": "#/$defs/tree"], "maxItems": 2]],
                "allOf": [schema],
            ]
            let compiled: CompiledGrammar
            do {
                compiled = try GrammarSource.jsonSchema(root).compile(Self.trie)
            } catch {
                Issue.record("round \(round): \(error), \(String(decoding: schema.serialized, as: UTF8.self))")
                return
            }
            var step = try compiled.firstStep()
            var text: [UInt8] = []
            for count in 0..<400 {
                // Long texts are steered to their end.
                if step.mayEnd, count > 20 || Int.random(in: 0..<4, using: &random) == 0 || step.mustEnd { break }
                let allowed = (0..<Int32(Self.trie.vocabularySize)).filter { step.mask.contains($0) }
                let closing = allowed.filter { [0x22, 0x5D, 0x7D].contains($0) }
                let id =
                    (count > 20 ? closing.randomElement(using: &random) : nil) ?? allowed.randomElement(using: &random)
                guard let id else {
                    Issue.record("round \(round): nothing may follow \(String(decoding: text, as: UTF8.self))")
                    return
                }
                text += Self.trie.text(of: id)
                step = try compiled.step(from: step.position, token: id)
            }
            guard step.mayEnd else { continue }
            finished += 1
            let value = try JSONValue(parsing: text)
            #expect(
                SchemaGenerator.isValid(value, schema),
                "\(String(decoding: text, as: UTF8.self)) under \(String(decoding: schema.serialized, as: UTF8.self))")
        }
        #expect(finished > 300)
    }
}

/// Random schemas, with a validator for them.
private enum SchemaGenerator {
    static func schema(depth: Int, _ random: inout SeededGenerator) -> JSONValue {
        switch Int.random(in: 0..<(depth > 0 ? 10 : 5), using: &random) {
        case 0: return ["type": "boolean"]
        case 1:
            let low = Int.random(in: -50...50, using: &random)
            return [
                "type": "integer", "minimum": .integer(low),
                "maximum": .integer(low + Int.random(in: 0...300, using: &random)),
            ]
        case 2:
            let low = Int.random(in: -5...5, using: &random)
            return [
                "type": "number", "exclusiveMinimum": .integer(low),
                "maximum": .integer(low + Int.random(in: 1...20, using: &random)),
            ]
        case 3:
            let least = Int.random(in: 0...3, using: &random)
            return [
                "type": "string", "minLength": .integer(least),
                "maxLength": .integer(least + Int.random(in: 0...4, using: &random)),
            ]
        case 4: return ["enum": ["a", 1, nil, ["x"]]]
        case 5, 6:
            var properties = JSONObject()
            var required: [JSONValue] = []
            for index in 0..<Int.random(in: 1...4, using: &random) {
                properties["p\(index)"] = schema(depth: depth - 1, &random)
                if random.oneIn(2) { required.append(.string("p\(index)")) }
            }
            return ["type": "object", "properties": .object(properties), "required": .array(required)]
        case 7:
            let least = Int.random(in: 0...2, using: &random)
            return [
                "type": "array", "items": schema(depth: depth - 1, &random), "minItems": .integer(least),
                "maxItems": .integer(least + Int.random(in: 0...2, using: &random)),
            ]
        case 8: return ["anyOf": [schema(depth: depth - 1, &random), schema(depth: depth - 1, &random)]]
        default: return ["$ref": "#/$defs/tree"]
        }
    }

    static func isValid(_ value: JSONValue, _ schema: JSONValue) -> Bool {
        if schema["$ref"] != nil {
            guard let elements = value.array else { return false }
            return elements.count <= 2 && elements.allSatisfy { isValid($0, schema) }
        }
        if let values = schema["enum"]?.array { return values.contains(value) }
        if let schemas = schema["anyOf"]?.array { return schemas.contains { isValid(value, $0) } }
        func bound(_ name: String) -> Double? { schema[name]?.double }
        switch schema["type"]?.string {
        case "boolean": return value.bool != nil
        case "integer", "number":
            guard let number = value.double else { return false }
            if schema["type"] == "integer", number.rounded() != number { return false }
            return number >= bound("minimum") ?? -.infinity && number <= bound("maximum") ?? .infinity
                && number > bound("exclusiveMinimum") ?? -.infinity
        case "string":
            guard let count = value.string?.unicodeScalars.count else { return false }
            return Double(count) >= bound("minLength") ?? 0 && Double(count) <= bound("maxLength") ?? .infinity
        case "array":
            guard let elements = value.array else { return false }
            return Double(elements.count) >= bound("minItems") ?? 0
                && Double(elements.count) <= bound("maxItems") ?? .infinity
                && elements.allSatisfy { isValid($0, schema["items"] ?? true) }
        default:
            guard let object = value.object else { return false }
            for name in schema["required"]?.array ?? [] where object[name.string ?? ""] == nil { return false }
            return object.allSatisfy { member in
                schema["properties"]?[member.name].map { isValid(member.value, $0) } ?? false
            }
        }
    }
}
