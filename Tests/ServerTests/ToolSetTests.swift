import Basics
import JSON
import TestSupport
import Testing

@testable import Server

/// The tools of a Responses request, and which of them may be called.
@Suite struct ToolSetTests {
    private func read(_ body: JSONObject) throws(APIError) -> ToolSet {
        var reader = try FieldReader(.object(body), ServedModel.lenient.parameterPolicy)
        return try ToolSet(&reader, .responses)
    }

    @Test(arguments: ["", "a\n", "a\u{7F}", "<b>", "a>"])
    func `a name that no call can contain is refused in every API, with its path`(name: String) throws {
        let inner: JSONObject = ["name": .string(name), "parameters": [:], "input_schema": [:]]
        func typed(_ type: JSONValue) -> JSONValue {
            var tool = inner
            tool["type"] = type
            return .object(tool)
        }
        let chat: JSONValue = ["type": "function", "function": .object(inner)]
        let cases: [(JSONObject, ToolSet.Spelling, String)] = [
            (["tools": [chat]], .chat, "tools[0].function.name"),
            (["functions": [.object(inner)]], .chat, "functions[0].name"),
            (["tools": [typed("function")]], .responses, "tools[0].name"),
            (["tools": [typed("custom")]], .responses, "tools[0].name"),
            (["tools": [namespace(name, ["a"])]], .responses, "tools[0].name"),
            (["tools": [namespace("a", [name])]], .responses, "tools[0].tools[0].name"),
            (["tools": [.object(inner)]], .messages, "tools[0].name"),
        ]
        for (body, spelling, path) in cases {
            #expect {
                var reader = try FieldReader(.object(body), ServedModel.lenient.parameterPolicy)
                return try ToolSet(&reader, spelling)
            } throws: {
                ($0 as? APIError)?.param == path
            }
        }
    }

    @Test func `names that servers of tools use are accepted`() throws {
        for name in ["server/tool.name", "mcp__a__b", "наз ва", "a:b", String(repeating: "x", count: 200)] {
            #expect(try read(["tools": [function(name)]]).tools.map(\.name) == [name])
        }
    }

    private func function(_ name: String) -> JSONValue { ["type": "function", "name": .string(name)] }

    private func namespace(_ name: String, _ members: [String]) -> JSONValue {
        ["type": "namespace", "name": .string(name), "tools": .array(members.map(function))]
    }

    private func allowing(_ tools: [JSONValue], mode: JSONValue = "auto") -> JSONValue {
        ["type": "allowed_tools", "mode": mode, "tools": .array(tools)]
    }

    @Test func `a name that several namespaces have means the first tool`() throws {
        let tools: JSONValue = [namespace("p", ["a", "b"]), namespace("q", ["b", "c"])]
        for (name, known) in [("a", "a"), ("b", "p__b"), ("q__b", "q__b"), ("c", "c")] {
            let set = try read(["tools": tools, "tool_choice": allowing([function(name)])])
            #expect(set.allowed == [known])
        }
        #expect(throws: APIError.self) { try read(["tools": tools, "tool_choice": allowing([function("d")])]) }
    }

    @Test func `reading tools and allowed tools ends with its request`() throws {
        let (one, many) = ([function("f")], Array(repeating: function("f"), count: 300))
        let bodies: [JSONObject] = [
            ["tools": .array(many)], ["tools": [namespace("p", Array(repeating: "f", count: 300))]],
            ["tools": .array(one), "tool_choice": allowing(many)],
        ]
        for body in bodies {
            #expect(throws: Never.self) { try read(body) }
            Cancellation.$token.withValue(StoppedWork()) {
                #expect(throws: APIError.aborted) { try read(body) }
            }
        }
    }

    @Test func `if only hosted tools are allowed, nothing may be called`() throws {
        let tools: JSONValue = [function("delete_all"), ["type": "web_search"]]
        let none = try read(["tools": tools, "tool_choice": allowing([["type": "web_search"]])])
        #expect(none.choice == .none && none.definitions.isEmpty && none.callable.isEmpty)
        #expect(throws: APIError.self) {
            try read(["tools": tools, "tool_choice": allowing([["type": "web_search"]], mode: "required")])
        }
    }
}
