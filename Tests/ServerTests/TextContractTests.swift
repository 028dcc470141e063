import Engine
import JSON
import TestSupport
import Testing

@testable import Server

/// `openapi.yaml` and the text endpoints describe the same.
@Suite struct TextContractTests {
    private let document: JSONValue
    private let validator: SchemaValidator
    private let text: TextPipeline
    private let model: ServedModel

    init() throws {
        document = try OpenAPIDocument.load()
        validator = SchemaValidator(document: document)
        text = try #require(try TextPipeline(directory: Fixtures.chatModel))
        var model = ServedModel(
            name: "trinity-tiny", created: 0, vocabularySize: 3072, maxModelLength: 2048, hasTokenizer: true,
            hasChatTemplate: true, samplingDefaults: SamplingParameters())
        // The document lists the parameters that are read; others would be ignored without this option.
        model.refusesUnknownParameters = true
        self.model = model
    }

    private func answer(_ endpoint: TextEndpoint, _ body: JSONValue) throws(APIError) -> JSONValue {
        let bytes = try TextReply(endpoint: endpoint, model: model, text: text).answer(body.serialized)
        return (try? JSONValue(parsing: bytes)) ?? .null
    }

    @Test(arguments: TextEndpoint.allCases)
    func `every example gets the documented reply`(endpoint: TextEndpoint) throws {
        let operation = document["paths"]?[endpoint.path]?["post"]
        let media = try #require(operation?["requestBody"]?["content"]?["application/json"])
        let reply = operation?["responses"]?["200"]?["content"]?["application/json"]?["schema"] ?? false
        let examples = try #require(media["examples"]?.object)
        #expect(!examples.isEmpty)
        for (name, example) in examples {
            let body = try answer(endpoint, example["value"] ?? .null)
            #expect(validator.violations(of: body, against: reply) == [], "\(name)")
        }
    }

    @Test(arguments: TextEndpoint.allCases)
    func `document and decoder accept and refuse the same bodies`(endpoint: TextEndpoint) throws {
        let operation = document["paths"]?[endpoint.path]?["post"]
        let schema = operation?["requestBody"]?["content"]?["application/json"]?["schema"] ?? true
        let chat: JSONValue = [["role": "user", "content": "a"]]
        let bodies: [JSONValue] = [
            [:], ["prompt": "a"], ["prompt": ""], ["prompt": nil], ["prompt": ["a"]], ["prompt": [1]], ["messages": []],
            ["messages": chat], ["messages": chat, "prompt": "a"],
            ["prompt": "a", "messages": nil], ["prompt": "a", "add_special_tokens": false],
            ["prompt": "a", "add_special_tokens": 1], ["prompt": "a", "return_token_strs": nil],
            ["prompt": "a", "return_token_strs": "x"], ["messages": chat, "return_token_strs": true],
            ["messages": chat, "return_token_strs": 1], ["messages": chat, "tools": []],
            ["messages": chat, "add_generation_prompt": false], ["messages": chat, "add_generation_prompt": "x"],
            ["tokens": []], ["tokens": [1, 2]], ["tokens": [-1]], ["tokens": [1.5]], ["tokens": "a"], ["tokens": nil],
            ["tokens": [1], "more": 1], ["prompt": "a", "tokens": [1]], [], "a",
        ]
        for body in bodies {
            var refusal: APIError?
            do throws(APIError) { _ = try answer(endpoint, body) } catch { refusal = error }
            let violations = validator.violations(of: body, against: schema)
            #expect(
                violations.isEmpty == (refusal == nil), "\(body): \(violations), \(refusal?.message ?? "accepted")")
        }
    }

    @Test func `the tokenizer's description conforms`() throws {
        let schema = try #require(validator.resolve("#/components/schemas/TokenizerInfo"))
        #expect(validator.violations(of: text.tokenizerInfo(of: model), against: schema) == [])
    }

    @Test func `the document has every route, and each takes the document's methods`() throws {
        let paths = try #require(document["paths"]?.object)
        for (path, item) in paths {
            let route = try #require(
                RouteMatch(path: path.replacingOccurrences(of: "{id}", with: "a"))?.route, "\(path)")
            for method in try #require(item.object).names.map({ $0.uppercased() }) {
                #expect(route.methods.map(\.rawValue).contains(method), "\(method) \(path)")
            }
        }
        let patterns = Route.allCases.map { $0.pattern.replacingOccurrences(of: "{model}", with: "{id}") }
        #expect(Set(patterns) == Set(paths.names))
    }
}

extension TextEndpoint {
    fileprivate var path: String {
        switch self {
        case .tokenize: "/tokenize"
        case .detokenize: "/detokenize"
        case .chatPrompt: "/v1/chat/completions/render"
        case .messageTokens: "/v1/messages/count_tokens"
        case .responseTokens: "/v1/responses/input_tokens"
        }
    }
}
