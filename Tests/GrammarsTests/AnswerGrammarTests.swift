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
}
