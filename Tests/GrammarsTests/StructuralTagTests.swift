import Testing

@testable import Grammars
@testable import JSON

/// Replies that are text with parts of a given form.
@Suite struct StructuralTagTests {
    private static let older: JSONValue = [
        "structures": [
            [
                "begin": "<function=f>", "schema": ["type": "object", "properties": ["a": ["type": "integer"]]],
                "end": "</function>",
            ],
            ["begin": "<function=g>", "schema": ["type": "null"], "end": "</function>"],
        ], "triggers": ["<function="],
    ]

    private func reader(_ tag: JSONValue) throws -> GrammarReader { try GrammarReader(.structuralTags(tag)) }

    @Test func `the older form is free text with calls in it`() throws {
        let reader = try reader(Self.older)
        for text in [
            "", "no call <func>", #"a <function=f>{"a":1}</function> b"#,
            "<<function=g>null</function><function=f>{}</function>",
            "<functio <function",
        ] { #expect(try reader.reads(text), "\(text)") }
        for text in ["<function=", "<function=h>", #"<function=f>{"a":""}</function>"#, "<function=g>null"] {
            #expect(try !reader.reads(text), "\(text)")
        }
    }

    static let formats: [(JSONValue, [String], [String])] = [
        (["type": "const_string", "value": "ab"], ["ab"], ["a", ""]),
        (["type": "regex", "pattern": "[a-c]+"], ["ab"], ["d", ""]),
        (["type": "grammar", "grammar": "start: \"x\"+"], ["xx"], ["", "y"]),
        (["type": "grammar", "grammar": "root ::= \"x\""], ["x"], ["xx"]),
        (["type": "any_text", "excludes": ["no"]], ["", "yes n o"], ["a no b"]),
        (
            [
                "type": "sequence",
                "elements": [
                    ["type": "const_string", "value": "a"],
                    [
                        "type": "or",
                        "elements": [
                            ["type": "const_string", "value": "b"],
                            ["type": "json_schema", "json_schema": ["enum": [1]]],
                        ],
                    ],
                ],
            ], ["ab", "a1"], ["a", "a2"]
        ),
        (
            ["type": "tag", "begin": "<a>", "content": ["type": "any_text"], "end": ["</a>", "!"]],
            ["<a>x < y</a>", "<a>!"],
            ["<a>x", "<a>x!y!"]
        ),
        (
            [
                "type": "triggered_tags", "triggers": ["<"], "at_least_one": true, "stop_after_first": true,
                "tags": [
                    [
                        "begin": "<b>", "content": ["type": "json_schema", "json_schema": ["type": "boolean"]],
                        "end": "</b>",
                    ]
                ],
            ], ["x<b>true</b>"], ["", "x", "<b>true</b>y", "<c>"]
        ),
        (
            [
                "type": "tags_with_separator", "separator": ",", "at_least_one": true,
                "tags": [["begin": "(", "content": ["type": "regex", "pattern": "[0-9]"], "end": ")"]],
            ], ["(1)", "(1),(2)"], ["", "(1)(2)", "(a)"]
        ),
    ]

    @Test func `formats of the newer form`() throws {
        for (format, valid, invalid) in Self.formats {
            let reader = try reader(["format": format])
            for text in valid { #expect(try reader.reads(text), "\(format): \(text)") }
            for text in invalid { #expect(try !reader.reads(text), "\(format): \(text)") }
        }
    }

    @Test(
        arguments: [
            (["format": ["type": "qwen_xml_parameter"]], "format.type"), (["format": [:]], "format.type"),
            (["format": ["type": "tag", "begin": "a"]], "format.end"),
            (["format": ["type": "regex", "pattern": "(?=a)"]], "format.pattern"),
            (
                ["format": ["type": "json_schema", "json_schema": ["type": "array", "contains": [:]]]],
                "format.json_schema.contains"
            ),
            (
                ["format": ["type": "triggered_tags", "triggers": ["x"], "tags": [["begin": "a", "end": "b"]]]],
                "format.tags[0].begin"
            ),
            (["format": ["type": "sequence", "elements": []]], "format.elements"),
        ] as [(JSONValue, String)])
    func `a format that cannot be enforced is refused with its path`(tag: JSONValue, path: String) {
        let error = #expect(throws: GrammarError.self) { try GrammarSource.structuralTags(tag).grammar() }
        #expect(error?.path == path)
    }

    @Test func `a trigger that is one token begins a call, and other tokens do not`() throws {
        let trie = VocabularyTrie(
            tokens: (0..<128).map { [UInt8($0)] } + [Array("<tool_call>".utf8)], markers: ["<tool_call>": 128])
        let structure: JSONValue = ["begin": "<tool_call>", "schema": ["type": "null"], "end": "!"]
        let compiled = try GrammarSource.structuralTags(["structures": [structure], "triggers": ["<tool_call>"]])
            .compile(trie)
        var step = try compiled.firstStep()
        #expect(step.mask.contains(128) && step.mask.contains(Int32(UInt8(ascii: "a"))))
        step = try compiled.step(from: step.position, token: 128)
        #expect(step.mask.contains(Int32(UInt8(ascii: "n"))) && !step.mask.contains(Int32(UInt8(ascii: "a"))))
    }

    @Test(.timeLimit(.minutes(10))) func `hostile tags finish`() throws {
        let long = String(repeating: "ab", count: 20_000)
        let many = (0..<3_000).map { JSONValue.string("t\($0)") }
        for format: JSONValue in [
            ["type": "any_text", "excludes": [.string(long)]],
            ["type": "any_text", "excludes": .array(JSONArray(many))],
            [
                "type": "any_text",
                "excludes": .array(
                    JSONArray(
                        (0..<9_000).compactMap { Unicode.Scalar($0 + 0x4E00) }.map { .string(String(Character($0))) })),
            ],
        ] {
            _ = try? GrammarSource.structuralTag(format).grammar()
        }
    }
}
