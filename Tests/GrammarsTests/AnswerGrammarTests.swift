import Testing

@testable import Grammars
@testable import JSON

/// What may stand before an answer, and in its place.
@Suite struct AnswerGrammarTests {
    @Test func `either an answer or calls are read`() throws {
        let tools: [JSONValue] = [
            ["function": ["name": "f", "description": "d", "parameters": ["required": ["a"]]]],
            ["function": ["name": "g", "strict": true, "parameters": ["enum": [["a": 1]]]]],
        ].map { (tool: JSONValue) in tool.nameUnlessStrict }
        #expect(tools[0] == ["function": ["name": "f"]])
        let answer = GrammarSource.jsonSchema(["enum": [5]])
        let either = GrammarSource.either(answer, .calls(tools, .json, isSingle: true, isOpen: false))
        let reader = try GrammarReader(either)
        func call(_ name: String, _ arguments: String) -> String {
            "<tool_call>\n{\"name\": \"\(name)\", \"arguments\": \(arguments)}\n</tool_call>"
        }
        for text in ["5", call("f", "{}"), call("f", "{\"b\": [2]}"), call("g", "{\"a\":1}")] {
            #expect(try reader.reads(text), "\(text)")
        }
        for text in [
            "6", "", "5" + call("f", "{}"), call("h", "{}"), call("g", "{}"), call("f", "{}") + call("f", "{}"),
        ] {
            #expect(try !reader.reads(text), "\(text)")
        }
        #expect(either.bytes > answer.bytes && either.memoryBytes > answer.memoryBytes)
        #expect(Set([either.key, answer.key, GrammarSource.either(answer, answer).key]).count == 3)
        #expect(either.detached == either)
    }

    /// A text that may begin with space has no layout before it: the two could not be told apart.
    @Test func `layout comes first only where the text cannot begin with space`() throws {
        let lists = "root ::= empty \"x\"\nempty ::= \" \"{0,0} | \"\""
        let cases: [(GrammarSource, hasLayout: Bool)] = [
            (.choice(["red", "blue"]), true), (.choice(["red", "\tblue"]), false), (.regex(" ?a"), false),
            (.regex("a "), true),
            (.regex("(b|c)*[^x]"), false), (.regex("(b|c)*d"), true), (.gbnf("root ::= a* \" \"\na ::= \"a\""), false),
            (.gbnf(lists), true), (.lark("start: a b\na: \"x\"?\nb: \"\\n\""), false), (.jsonObject, true),
            (.jsonSchema(["type": "string", "pattern": "^ "]), true), (.jsonSchema([:]), true),
            (.structuralTag(["type": "any_text"]), false),
            (.structuralTag(["type": "const_string", "value": "a"]), true),
        ]
        for (source, hasLayout) in cases {
            let grammar = try source.grammar(beginsWithSpace: true)
            #expect(grammar.hasLayout == hasLayout, "\(source)")
            var automaton = GrammarAutomaton(grammar)
            var bare = GrammarAutomaton(try source.grammar())
            let isSpace = try automaton.step(automaton.start(), 0x20).next != GrammarAutomaton.dead
            let isSpaceOfText = try bare.step(bare.start(), 0x20).next != GrammarAutomaton.dead
            #expect(isSpace == (hasLayout || isSpaceOfText), "\(source)")
            #expect(try !source.grammar().hasLayout)
        }
    }
}
