import Engine
import Grammars
import JSON
import Testing

@testable import Server

/// Bounds of parameters, and the names under which other servers' clients send them.
@Suite struct RequestBoundTests {
    private func completion(_ fields: JSONObject) throws(APIError) -> CompletionRequest {
        var body: JSONObject = ["prompt": [1]]
        for (name, value) in fields { body[name] = value }
        return try CompletionRequest(.object(body), for: .sample)
    }

    private func chat(_ fields: JSONObject) throws(APIError) -> ChatCompletionRequest {
        var body: JSONObject = ["messages": [["role": "user", "content": "x"]]]
        for (name, value) in fields { body[name] = value }
        return try ChatCompletionRequest(.object(body), for: .sample)
    }

    private func response(_ fields: JSONObject) throws(APIError) -> ChatTranslation {
        var body: JSONObject = ["input": "x"]
        for (name, value) in fields { body[name] = value }
        return try ResponsesRequest.translate(.object(body), for: .sample)
    }

    private func refusal<T>(_ body: () throws(APIError) -> T) -> APIError? {
        do throws(APIError) { _ = try body() } catch { return error }
        return nil
    }

    @Test func `what the first chunks of a stream repeat of the prompts is bounded`() throws {
        func refused(_ fields: JSONObject, tokens: Int, bytes: Int = 0, prompts: Int = 1) throws -> String? {
            var fields = fields
            if fields["stream"] == nil { fields["stream"] = true }
            var repeated = RepeatedPrompts(try completion(fields).options)
            return refusal { () throws(APIError) in
                for _ in 0..<prompts { try repeated.add(tokens: tokens, bytes: bytes) }
            }?.param
        }
        let ids: JSONObject = ["return_token_ids": true, "n": 8]
        #expect(try refused(ids, tokens: 32768) == nil)
        #expect(try refused(ids, tokens: 32769) == "return_token_ids")
        #expect(try refused(["return_token_ids": true], tokens: 100_000, prompts: 3) == "return_token_ids")
        #expect(try refused(["return_token_ids": true, "n": 8, "stream": false], tokens: 100_000) == nil)
        #expect(try refused(["n": 8], tokens: 100_000, bytes: 1_000_000) == nil)
        #expect(try refused(["echo": true, "n": 2], tokens: 1, bytes: 1 << 19) == nil)
        #expect(try refused(["echo": true, "n": 2], tokens: 1, bytes: 1 << 19 + 1) == "echo")
    }

    @Test func `what a response repeats is bounded`() throws {
        func metadata(_ count: Int, name: String = "k", value: JSONValue = "v") -> JSONValue {
            .object((0..<count).reduce(into: [:]) { $0["\(name)\($1)"] = value })
        }
        let long = JSONValue.string(String(repeating: "é", count: 512))
        #expect(throws: Never.self) { try response(["metadata": metadata(16, value: long)]) }
        let most = JSONValue.string(String(repeating: "u", count: 512))
        #expect(throws: Never.self) { try response(["user": most]) }
        for (name, value, excerpt) in [
            ("metadata", metadata(17), "at most 16 members, not 17"),
            (
                "metadata", metadata(1, name: String(repeating: "k", count: 64)),
                "at most 64 characters in its name, not 65"
            ),
            (
                "metadata", metadata(1, value: .string(String(repeating: "v", count: 513))),
                "at most 512 characters, not 513"
            ),
            (
                "metadata", metadata(1, value: .array(JSONArray(count: 300) { _ in 1 })),
                "at most 512 characters, not 601"
            ),
            ("user", .string(String(repeating: "u", count: 513)), "at most 512 bytes, not 513"),
        ] as [(String, JSONValue, String)] {
            let error = refusal { () throws(APIError) in try response([name: value]) }
            #expect(error?.param?.hasPrefix(name) == true && error?.message.contains(excerpt) == true, "\(excerpt)")
        }
    }

    @Test func `a schema given as text is measured before it is parsed`() throws {
        // It is not JSON, so an error about its size shows that it was not parsed.
        let text = JSONValue.string(String(repeating: "[", count: GrammarSource.mostBytes + 1))
        for (fields, param) in [
            (["guided_json": text], "guided_json"), (["json_schema": text], "json_schema"),
            (["structured_outputs": ["json": text]], "structured_outputs.json"),
            (["structured_outputs": ["structural_tag": text]], "structured_outputs.structural_tag"),
            (
                ["response_format": ["type": "json_schema", "json_schema": ["name": "n", "schema": text]]],
                "response_format.json_schema.schema"
            ),
        ] as [(JSONObject, String)] {
            let error = refusal { () throws(APIError) in try chat(fields) }
            #expect(error?.param == param)
            #expect(error?.message.contains("262145 bytes, more than 262144") == true, "\(error?.message ?? "")")
        }
    }

    @Test func `constraints under the names of llama server and SGLang are enforced`() throws {
        for (name, value, source) in [
            ("json_schema", ["type": "integer"], .jsonSchema(["type": "integer"])),
            ("grammar", "root ::= \"a\"", .gbnf("root ::= \"a\"")), ("ebnf", "root ::= \"a\"", .gbnf("root ::= \"a\"")),
            ("regex", "a+", .regex("a+")),
        ] as [(String, JSONValue, GrammarSource)] {
            for output in [
                try completion([name: value]).options.structuredOutput,
                try chat([name: value]).options.structuredOutput,
            ] {
                #expect(output?.source == source && output?.param == name)
            }
        }
        #expect(try completion(["grammar": ""]).options.structuredOutput == nil)
    }

    @Test func `samplers that do not exist here are refused unless they have no effect`() throws {
        for (name, neutral, value) in [
            ("mirostat", 0, 2), ("typical_p", 1, 0.5), ("typ_p", 1.0, 0.5), ("dry_multiplier", 0.0, 0.8),
            ("xtc_probability", 0, 0.5), ("dynatemp_range", 0, 0.5), ("top_n_sigma", -1.0, 1), ("stop_regex", "", "a"),
            ("t_max_predict_ms", -1.0, 5), ("length_penalty", 1.0, 2),
        ] as [(String, JSONValue, JSONValue)] {
            #expect(throws: Never.self, "\(name)") { try completion([name: neutral]) }
            let error = refusal { () throws(APIError) in try chat([name: value]) }
            #expect(error?.param == name && error?.status == .badRequest)
        }
        #expect(throws: Never.self) { try chat(["best_of": 1.0]) }
    }

    @Test func `completions know the token limit under its three names`() throws {
        for name in ["max_tokens", "max_completion_tokens", "n_predict"] {
            #expect(try completion([name: 9]).options.maxTokens == 9)
            #expect(try completion([name: 0]).options.maxTokens == 0)
            for unlimited: JSONValue in [-1, -1.0] {
                let options = try completion([name: unlimited]).options
                #expect(options.maxTokens == nil && options.fillsContext)
                #expect(try chat([name: unlimited]).options.maxTokens == nil)
            }
        }
        let error = refusal { () throws(APIError) in try completion(["max_tokens": 3, "n_predict": 4]) }
        #expect(error?.param == "n_predict" && error?.message.contains("4") == true)
    }

    @Test func `the number of stop ids is bounded`() throws {
        func ids(_ count: Int) -> JSONObject {
            ["stop_token_ids": .array(JSONArray(count: count) { .integer($0 % 100) })]
        }
        #expect(try completion(ids(1024)).options.stop.tokenIDs.count == 100)
        let error = refusal { () throws(APIError) in try completion(ids(1025)) }
        #expect(error?.param == "stop_token_ids" && error?.message.contains("at most 1024 ids, not 1025") == true)
    }
}
