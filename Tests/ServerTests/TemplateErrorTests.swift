import Engine
import Foundation
import JSON
import TestSupport
import Testing

@testable import Server

/// For any template and any request, the client gets a prompt or a 400.
@Suite struct TemplateErrorTests {
    private func reply(_ body: JSONValue, _ pipeline: TextPipeline) throws(APIError) -> JSONValue {
        let model = ServedModel(
            name: "trinity-tiny", created: 0, vocabularySize: 3072, maxModelLength: 2048, hasTokenizer: true,
            hasChatTemplate: true, samplingDefaults: SamplingParameters())
        let bytes = try TextReply(endpoint: .chatPrompt, model: model, text: pipeline).answer(body.serialized)
        return (try? JSONValue(parsing: bytes)) ?? .null
    }

    private let hello: JSONValue = ["messages": [["role": "user", "content": "Hello"]]]

    @Test func `an exception raised by a template is reported with its message`() throws {
        let pipeline = try TextPipeline.sample(template: "a\n{{ raise_exception('No greetings, please.') }}")
        #expect(throws: APIError.template("No greetings, please.")) { try reply(hello, pipeline) }
        #expect(APIError.template("No greetings, please.").message == "No greetings, please.")
    }

    @Test(arguments: ["{{ messages.nothing.more }}", "{{ 1 + 'a' }}", "{{ messages | nofilter }}", "{{ 1 // 0 }}"])
    func `a failure names the template and its line`(expression: String) throws {
        let pipeline = try TextPipeline.sample(template: "first\n\n\(expression)")
        #expect {
            _ = try reply(hello, pipeline)
        } throws: {
            let error = $0 as? APIError
            return error?.status == .badRequest && error?.code == "template_error"
                && error?.message.hasPrefix("chat template, line 3: ") == true
        }
    }

    @Test(arguments: 0..<4)
    func `a random context gets a prompt or a 400`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var (prompts, failures) = (0, 0)
        for name in ["brackets", "fullwidth", "headers", "lastthink", "trinity_hermes", "turns", "xmlcalls"] {
            let source = try String(
                contentsOf: Fixtures.root.appending(path: "text/chat_templates/\(name).jinja"), encoding: .utf8)
            let pipeline = try TextPipeline.sample(template: source)
            for _ in 0..<60 {
                let body = request(using: &random)
                do throws(APIError) {
                    #expect(try reply(body, pipeline)["prompt"]?.string != nil)
                    prompts += 1
                } catch {
                    #expect(error.status == .badRequest, "\(name) \(body)")
                    if error.code == "template_error" { failures += 1 }
                }
            }
        }
        // Both results occurred, otherwise the requests test nothing.
        #expect(prompts > 0 && failures > 0, "\(prompts) prompts, \(failures) failures")
    }

    private func request(using random: inout SeededGenerator) -> JSONValue {
        let roles = ["system", "user", "assistant", "tool", "developer"]
        var messages: [JSONValue] = []
        for _ in 0..<Int.random(in: 1...5, using: &random) {
            let role = roles.randomElement(using: &random) ?? "user"
            var message: JSONObject = ["role": .string(role), "content": .string(text(using: &random))]
            if role == "tool" { message["tool_call_id"] = .string(text(using: &random)) }
            if role == "assistant", random.oneIn(2) {
                let arguments: JSONValue =
                    random.oneIn(2) ? .string(text(using: &random)) : .object(["a": junk(&random)])
                message["tool_calls"] = [
                    ["id": "1", "type": "function", "function": ["name": "f", "arguments": arguments]]
                ]
            }
            messages.append(.object(message))
        }
        var body: JSONObject = ["messages": .array(messages)]
        if random.oneIn(2) {
            body["tools"] = [["type": "function", "function": ["name": "f", "parameters": ["x": junk(&random)]]]]
        }
        if random.oneIn(2) {
            // Variables that the templates read or call in other ways.
            var arguments: JSONObject = [:]
            for name in ["bos_token", "eos_token", "enable_thinking", "date_string", "namespace", "range", "loop"]
            where random.oneIn(3) {
                arguments[name] = junk(&random)
            }
            body["chat_template_kwargs"] = .object(arguments)
        }
        return .object(body)
    }

    private func text(using random: inout SeededGenerator) -> String {
        ["", " ", "a", "<|im_end|>", "</think>", "\u{0}", "e\u{301}🦊\n", "{{ x }}", "{\"a\": 1}", "[1"]
            .randomElement(using: &random) ?? ""
    }

    private func junk(_ random: inout SeededGenerator) -> JSONValue {
        let values: [JSONValue] = [
            nil, true, 0, .integer(.min), .bigInteger("123456789012345678901234567890"), 1e300, "", "x", [], [[nil]],
            [:], ["": [1, "a"]], ["items": 1],
        ]
        return values.randomElement(using: &random) ?? .null
    }
}
