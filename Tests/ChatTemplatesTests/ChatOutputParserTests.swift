import ChatTemplates
import Glibc
import JSON
import TestSupport
import Testing

/// A reply in parts: its joined events.
private struct Parts: Equatable {
    var reasoning = ""
    var content = ""
    var calls: [String] = []

    mutating func add(_ events: [ChatOutputEvent]) {
        for event in events {
            switch event {
            case .reasoning(let text): reasoning += text
            case .content(let text): content += text
            case .call(let index, let name):
                #expect(index == calls.count)
                calls.append("\(name) ")
            case .arguments(let index, let text):
                #expect(index == calls.count - 1)
                calls[index] += text
            }
        }
    }
}

@Suite struct ChatOutputParserTests {
    private static let tools: [JSONValue] = [
        [
            "type": "function",
            "function": [
                "name": "f",
                "parameters": ["properties": ["s": ["type": "string"], "n": ["type": "integer"], "o": [:]]],
            ],
        ]
    ]
    private static let json = ChatOutputSyntax(reasons: true, calls: .json)
    private static let xml = ChatOutputSyntax(reasons: true, calls: .xml)

    private struct Case: CustomTestStringConvertible {
        var text: String
        var parts: Parts
        var syntax = ChatOutputParserTests.json
        var prompt = "<|im_start|>assistant\n"

        var testDescription: String { text }
    }

    private static let cases: [Case] = [
        Case(text: "", parts: Parts()),
        Case(text: " \n", parts: Parts(content: " \n")),
        Case(text: "Hello, <b>you</b>. \n", parts: Parts(content: "Hello, <b>you</b>. \n")),
        Case(
            text: "<think>\n2 + 2 < 5\n\n</think>\n\nFour.\n", parts: Parts(reasoning: "2 + 2 < 5", content: "Four.\n")),
        Case(text: "<think>cut off ", parts: Parts(reasoning: "cut off ")),
        Case(text: "<thi", parts: Parts(content: "<thi")),
        Case(text: "a</think>b", parts: Parts(content: "a</think>b")),
        Case(text: "a</think>b<think>c", parts: Parts(reasoning: "a", content: "b<think>c"), prompt: "x<think>\n"),
        Case(text: "answer", parts: Parts(content: "answer"), prompt: "<think>\n\n</think>\n\n"),
        Case(
            text: "why</think> é", parts: Parts(reasoning: "why", content: "é"),
            syntax: ChatOutputSyntax(reasons: true, beginsInReasoning: true)),
        Case(text: "<think>x</think>", parts: Parts(content: "<think>x</think>"), syntax: ChatOutputSyntax()),
        // Calls as JSON.
        Case(
            text:
                "Let me see.\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"s\": \"}</tool_call>\\\"\", \"n\": [1]}}\n</tool_call>",
            parts: Parts(content: "Let me see.", calls: ["f {\"s\": \"}</tool_call>\\\"\", \"n\": [1]}"])),
        Case(
            text:
                "<tool_call>{\"name\":\"f\",\"arguments\":{}}</tool_call>\n<tool_call>{\"name\":\"g\",\"arguments\":{\"a\":\"é\"}}</tool_call>\ndone",
            parts: Parts(content: "done", calls: ["f {}", "g {\"a\":\"é\"}"])),
        Case(
            text: "<think>I call <tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call> and go on</think>ok",
            parts: Parts(reasoning: "I calland go on", content: "ok", calls: ["f {}"])),
        Case(
            text: "<tool_call>{\"arguments\": {\"n\": 1}, \"name\": \"f\"}</tool_call>",
            parts: Parts(calls: ["f {\"n\":1}"])),
        Case(
            text: "<tool_call>{\"name\": \"f\", \"arguments\": \"{\\\"n\\\": 1}\"}</tool_call>",
            parts: Parts(calls: ["f {\"n\": 1}"])),
        Case(text: "<tool_call>{\"name\": \"f\"}</tool_call>", parts: Parts(calls: ["f {}"])),
        // A call that lacks a brace ends with its tag.
        Case(
            text:
                "<tool_call>{\"name\":\"f\",\"arguments\":{\"a\":1</tool_call>\n<tool_call>{\"name\":\"g\",\"arguments\":{\"b\":2}}</tool_call>",
            parts: Parts(calls: ["f {\"a\":1", "g {\"b\":2}"])),
        Case(text: "<tool_call>{\"name\": \"f\", \"arguments\": {\"n\": [1, ", parts: Parts(calls: ["f {\"n\": [1, "])),
        Case(text: "<tool_call>{\"name\": \"f\", \"arguments\": {}}", parts: Parts(calls: ["f {}"])),
        Case(text: "<tool_call>{\"name\": \"f", parts: Parts(content: "<tool_call>{\"name\": \"f")),
        Case(
            text: "I write <tool_call> and </tool_call> here.",
            parts: Parts(content: "I write <tool_call> and </tool_call> here.")),
        Case(
            text: "<tool_call>{\"name\": 5, \"arguments\": {}}</tool_call>!",
            parts: Parts(content: "<tool_call>{\"name\": 5, \"arguments\": {}}</tool_call>!")),
        // Calls as XML: string parameters stay text, others are parsed as JSON if possible.
        Case(
            text:
                "<tool_call>\n<function=f>\n<parameter=s>\n12\n</parameter>\n<parameter=n>\n12\n</parameter>\n<parameter=o>\nx > y\n</parameter>\n</function>\n</tool_call>",
            parts: Parts(calls: ["f {\"s\": \"12\", \"n\": 12, \"o\": \"x > y\"}"]), syntax: xml),
        Case(
            text:
                "ok <tool_call><function=g></function></tool_call> <tool_call><function=f><parameter=o>{\"a\": [1]}</parameter></function></tool_call>",
            parts: Parts(content: "ok", calls: ["g {}", "f {\"o\": {\"a\":[1]}}"]), syntax: xml),
        Case(
            text: "<tool_call><function=f><parameter=s>a\nb</parameter></tool_call>",
            parts: Parts(calls: ["f {\"s\": \"a\\nb\"}"]), syntax: xml),
        Case(text: "<tool_call><function=f><parameter=s>cut", parts: Parts(calls: ["f "]), syntax: xml),
        Case(
            text: "<tool_call>what?</tool_call>!", parts: Parts(content: "<tool_call>what?</tool_call>!"), syntax: xml),
        Case(text: "<tool_call><funct", parts: Parts(content: "<tool_call><funct"), syntax: xml),
    ]

    private func parse(_ pieces: [String], _ test: Case, tools: [JSONValue] = tools) -> Parts {
        var parser = ChatOutputParser(syntax: test.syntax, prompt: test.prompt, tools: tools)
        var parts = Parts()
        for piece in pieces { parts.add(parser.append(piece)) }
        parts.add(parser.finish())
        return parts
    }

    @Test(arguments: 0..<20)
    func `the places of content are where it stands in the reply`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for test in Self.cases {
            var parser = ChatOutputParser(syntax: test.syntax, prompt: test.prompt, tools: Self.tools)
            let reply = Array(test.text.utf8)
            func check(_ events: [ChatOutputEvent], _ ranges: [Range<Int>]) {
                let texts = events.compactMap { if case .content(let text) = $0 { text } else { nil } }
                #expect(texts == ranges.map { String(decoding: reply[$0], as: UTF8.self) }, "\(test.text)")
            }
            var rest = Substring(test.text)
            while !rest.isEmpty {
                let piece = rest.prefix(Int.random(in: 1...20, using: &random))
                rest = rest.dropFirst(piece.count)
                check(parser.append(String(piece)), parser.contentRanges)
            }
            check(parser.finish(), parser.contentRanges)
        }
    }

    @Test func `space behind reasoning is content where the answer may begin with it`() {
        for (text, prompt, content) in [
            ("<think>a</think> b", "", " b"), ("a</think>\n b", "<think>", "\n b"), (" b", "<think>\n</think>\n", " b"),
            (" b", "", " b"),
        ] {
            var parser = ChatOutputParser(syntax: Self.json, prompt: prompt)
            parser.keepsSpaceBehindReasoning()
            var parts = Parts()
            parts.add(parser.append(text) + parser.finish())
            #expect(parts.content == content)
        }
    }

    @Test func `reasoning, content and calls are separated`() {
        for test in Self.cases { #expect(parse([test.text], test) == test.parts, "\(test.text)") }
    }

    @Test func `the split of the text does not matter`() {
        var random = SeededGenerator(seed: 1)
        for test in Self.cases {
            let characters = test.text.unicodeScalars.map(String.init)
            #expect(parse(characters, test) == test.parts, "\(test.text)")
            for cut in 0...characters.count {
                let pieces = [characters[..<cut].joined(), characters[cut...].joined()]
                #expect(parse(pieces, test) == test.parts, "\(test.text) at \(cut)")
            }
            for _ in 0..<20 {
                var pieces = [""]
                for character in characters {
                    if Int.random(in: 0..<4, using: &random) == 0 { pieces.append("") }
                    pieces[pieces.count - 1] += character
                }
                #expect(parse(pieces, test) == test.parts, "\(pieces)")
            }
        }
    }

    @Test func `every split of random text gives the same events and loses no text`() {
        var random = SeededGenerator(seed: 2)
        let words = [
            "<think>", "</think>", "<tool_call>", "</tool_call>", "{\"name\": \"f\", \"arguments\": {", "}", "}}", "\"",
            "\\",
            "<function=f>", "</function>", "<parameter=s>", "</parameter>", " ", "\n", "a", "é", "<", ">",
        ]
        for round in 0..<2000 {
            let syntax = ChatOutputSyntax(
                reasons: round % 3 > 0, beginsInReasoning: round % 5 == 0, calls: round % 2 == 0 ? .json : .xml)
            let pieces = (0..<Int.random(in: 1...15, using: &random)).compactMap { _ in
                words.randomElement(using: &random)
            }
            let test = Case(text: pieces.joined(), parts: Parts(), syntax: syntax)
            let whole = parse([test.text], test)
            #expect(parse(pieces, test) == whole, "\(pieces)")
            #expect(parse(test.text.unicodeScalars.map(String.init), test) == whole, "\(pieces)")
            // Without tools only the tags of reasoning, and white space next to them, are removed.
            let plain = parse(pieces, test, tools: [])
            let joined = (plain.reasoning + plain.content).filter { !$0.isWhitespace }
            let expected = test.text.filter { !$0.isWhitespace }
            #expect([0, 7, 8, 15].contains(expected.utf8.count - joined.utf8.count), "\(pieces)")
        }
    }

    @Test func `arguments are emitted while they arrive`() {
        var parser = ChatOutputParser(syntax: Self.json, prompt: "", tools: Self.tools)
        #expect(parser.append("<tool_call>{\"name\": \"f\", \"arg") == [])
        #expect(
            parser.append("uments\": {\"s\": \"a") == [.call(index: 0, name: "f"), .arguments(index: 0, "{\"s\": \"a")])
        #expect(parser.append("b\"}") == [.arguments(index: 0, "b\"}")])
        #expect(parser.append("}\n</tool_call>") == [])
        #expect(parser.calls == 1 && !parser.isDone)
    }

    /// A search that starts again with each piece takes minutes for these.
    @Test(arguments: ["xml", "json", "whole", "name", "space", "no call", "cut"])
    func `the cost of a piece does not grow with the text`(kind: String) {
        let body = String(repeating: "some <b>text</b> of a file; ", count: 1 << 13)
        let (text, syntax) =
            switch kind {
            case "xml":
                ("<tool_call><function=f><parameter=s>\(body)</parameter></function></tool_call>", Self.xml)
            case "json": ("<tool_call>{\"name\": \"f\", \"arguments\": {\"s\": \"\(body)\"}}</tool_call>", Self.json)
            case "whole": ("<tool_call>{\"arguments\": {\"s\":\"\(body)\"}, \"name\": \"f\"}</tool_call>", Self.json)
            case "name": ("<tool_call>{\"name\": \"\(body)", Self.json)
            case "space": (String(repeating: "  \n ", count: 1 << 15) + "x", Self.xml)
            case "cut": ("<tool_call><function=f></function>\(body)", Self.xml)
            default: (String(repeating: "<tool_call>{", count: 1 << 14) + "</tool_call>", Self.json)
            }
        let test = Case(text: text, parts: Parts(), syntax: syntax)
        let bytes = Array(text.utf8)
        let pieces = stride(from: 0, to: bytes.count, by: 5).map {
            String(decoding: bytes[$0..<min($0 + 5, bytes.count)], as: UTF8.self)
        }
        let start = clock()
        let parts = parse(pieces, test)
        let seconds = Double(clock() - start) / Double(CLOCKS_PER_SEC)
        #expect(parts == parse([text], test))
        #expect(parts.reasoning.utf8.count + parts.content.utf8.count + (parts.calls.first?.utf8.count ?? 0) > 3)
        #expect(seconds < 20, "\(seconds) s")
    }

    @Test(
        arguments: [
            #"{"type": ["string", "null"]}"#, #"{"anyOf": [{"type": "string"}, {"type": "null"}]}"#,
            ##"{"oneOf": [{"$ref": "#/$defs/zip"}, {"const": null}]}"##, ##"{"$ref": "#/$defs/optional"}"##,
            ##"{"$ref": "#/$defs/zip%20or%20none"}"##,
            #"{"enum": ["12345", "true", null]}"#,
        ])
    func `an optional string is text in every spelling of its schema`(schema: String) throws {
        let parameters: JSONValue = [
            "properties": ["s": try JSONValue(parsing: schema)],
            "$defs": [
                "zip": ["enum": ["12345", "true"]], "optional": ["type": ["string", "null"]],
                "zip or none": ["type": ["string", "null"]],
            ],
        ]
        let tool: JSONValue = ["type": "function", "function": ["name": "f", "parameters": parameters]]
        for (written, value) in [
            ("12345", #""12345""#), ("true", #""true""#), ("null", "null"), (#""quoted""#, #""quoted""#),
            ("a b", #""a b""#),
        ] {
            let text = "<tool_call><function=f><parameter=s>\n\(written)\n</parameter></function></tool_call>"
            let parts = parse([text], Case(text: text, parts: Parts(), syntax: Self.xml), tools: [tool])
            #expect(parts.calls == ["f {\"s\": \(value)}"])
        }
        // Others stay JSON.
        for other in [#"{"type": ["string", "integer"]}"#, #"{"anyOf": [{"type": "string"}, {}]}"#] {
            let tool: JSONValue = [
                "function": ["name": "f", "parameters": ["properties": ["s": try JSONValue(parsing: other)]]]
            ]
            let text = "<tool_call><function=f><parameter=s>5</parameter></function></tool_call>"
            let parts = parse([text], Case(text: text, parts: Parts(), syntax: Self.xml), tools: [tool])
            #expect(parts.calls == ["f {\"s\": 5}"])
        }
    }

    @Test func `parsing stops after the only requested call`() {
        var parser = ChatOutputParser(syntax: Self.json, prompt: "", tools: Self.tools, onlyFirstCall: true)
        let call = "<tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call>"
        #expect(parser.append(call + call + "x") == [.call(index: 0, name: "f"), .arguments(index: 0, "{}")])
        #expect(parser.isDone && parser.append("y") == [] && parser.finish() == [])
    }

    @Test(
        arguments: [
            ("{{ '<think>' }} <tool_call>\n{\"name\"", ChatOutputSyntax(reasons: true, calls: .json)),
            ("<tool_call><function=", ChatOutputSyntax(reasons: false, calls: .xml)),
            ("{{ messages }}", ChatOutputSyntax()),
        ])
    func `the syntax is derived from a template`(template: String, syntax: ChatOutputSyntax) {
        #expect(ChatOutputSyntax(template: template) == syntax)
    }
}
