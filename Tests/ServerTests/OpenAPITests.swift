import Engine
import JSON
import Scheduling
import TestSupport
import Testing

@testable import Server

/// The document and the code describe the same API.
@Suite struct OpenAPITests: StreamSamples {
    let document: JSONValue
    let validator: SchemaValidator

    init() throws {
        document = try OpenAPIDocument.load()
        validator = SchemaValidator(document: document)
    }

    @Test func `all operations exist, each with a unique id`() {
        let operations = OpenAPIDocument.operations(of: document)
        #expect(operations.contains("POST /v1/chat/completions") && operations.contains("GET /v1/models/{id}"))
        let items = (document["paths"]?.object ?? [:]).flatMap { ($1.object ?? [:]).map(\.value) }
        let ids = items.compactMap { $0["operationId"]?.string }
        #expect(ids.count == operations.count && Set(ids).count == ids.count)
    }

    @Test func `every reference has a target`() {
        var references: [String] = []
        collectReferences(document, into: &references)
        #expect(references.count > 50)
        for reference in references { #expect(validator.resolve(reference) != nil, "\(reference)") }
    }

    @Test func `every example conforms to its schema`() {
        var count = 0
        visitMedia(document) { media in
            guard let schema = media["schema"], let examples = media["examples"]?.object else { return }
            for (name, example) in examples {
                count += 1
                #expect(validator.violations(of: example["value"] ?? .null, against: schema) == [], "\(name)")
            }
        }
        #expect(count >= 10)
    }

    @Test(arguments: Endpoint.allCases)
    func `every request example decodes`(endpoint: Endpoint) throws {
        let examples = try #require(requestMedia(endpoint)?["examples"]?.object)
        #expect(!examples.isEmpty)
        for (name, example) in examples {
            #expect(throws: Never.self, "\(name)") { try decode(example["value"] ?? .null, endpoint) }
        }
    }

    @Test(arguments: Endpoint.allCases)
    func `every documented parameter is read, checked and nullable`(endpoint: Endpoint) throws {
        let properties = try #require(schema(endpoint.requestSchema)["properties"]?.object)
        // A Messages request without a limit is invalid.
        let required = [endpoint.promptParameter] + (endpoint == .messages ? ["max_tokens"] : [])
        for (name, schema) in properties where !required.contains(name) {
            // Documents are objects with any members.
            let wrong: JSONValue = name == "documents" ? [1] : [["what": 1]]
            #expect(throws: Never.self, "\(name)") { try decode(minimal(endpoint, [name: nil]), endpoint) }
            #expect(!validator.violations(of: wrong, against: schema).isEmpty, "\(name)")
            #expect(validator.violations(of: nil, against: schema).isEmpty, "\(name)")
            do {
                try decode(minimal(endpoint, [name: wrong]), endpoint)
                Issue.record("\(name) takes anything")
            } catch {
                #expect(error.param?.hasPrefix(name) == true, "\(name): \(error.message)")
                #expect(error.code != "unknown_parameter", "\(name): \(error.message)")
            }
        }
    }

    /// Values at and beyond the limits: the document and the decoder agree on each.
    @Test(arguments: Endpoint.allCases)
    func `document and decoder accept and refuse the same values`(endpoint: Endpoint) throws {
        let schema = schema(endpoint.requestSchema)
        let properties = try #require(schema["properties"]?.object)
        let samples: [JSONValue] = [
            true, false, -101, -100, -3, -2, -1, -0.5, 0, 0.5, 1, 1.0, 2, 2.5, 15, 16, 20, 21, 64, 101, 128, 129, 1e300,
            -1e300,
            .integer(.max), .integer(.min), "",
            "x", "none", "auto", "text", "low", "default", [], [""], ["x"], [1], [-1], [1.5], ["text"], [[]], [[1]],
            .array(Array(repeating: "s", count: 16)), .array(Array(repeating: "s", count: 17)), [:], ["x": 1],
            ["1": 1], ["1": -100.5], ["01": 1], ["type": "text"], ["type": "json_object"], ["messages": []],
            ["include_usage": true], ["include_usage": 1], ["role": "user", "content": "x"],
            [["role": "user", "content": "x"]], [["role": "user"]], [["role": "assistant"]],
            [["role": "tool", "content": "x"]], [["role": "user", "content": [["type": "text", "text": "x"]]]],
            [["role": "user", "content": [["type": "image_url"]]]], [["role": "assistant", "tool_calls": [[:]]]],
            [["type": "function", "function": ["name": "f"]]], [["type": "function", "function": ["strict": true]]],
        ]
        // A schema cannot express rules between two parameters: the other parameter is always given.
        let partners: JSONObject =
            switch endpoint {
            case .chat: ["stream": true, "logprobs": true]
            case .messages: ["stream": true, "max_tokens": 1]
            case .embeddings: [:]
            default: ["stream": true]
            }
        // These are allowed only for whole replies.
        let unstreamed = ["best_of", "prompt_logprobs"]
        for name in properties.names {
            for sample in samples {
                var body = unstreamed.contains(name) ? [:] : partners
                body[endpoint.promptParameter] = minimal(endpoint, [:])[endpoint.promptParameter]
                body[name] = sample
                if name == "stream" || (endpoint == .chat && name == "logprobs") {
                    body = minimal(endpoint, [name: sample]).object ?? [:]
                }
                if name == "continue_final_message" {
                    body["messages"] = [["role": "assistant", "content": "x"]]
                }
                if name == "model", sample.string != nil { continue }
                // The document does not know the model's width.
                if name == "dimensions", sample.integer != nil { continue }
                let violations = validator.violations(of: .object(body), against: schema)
                var refusal: APIError?
                do { try decode(.object(body), endpoint) } catch { refusal = error }
                #expect(
                    violations.isEmpty == (refusal == nil),
                    "\(name) \(sample): \(violations), \(refusal?.message ?? "accepted")")
            }
        }
    }

    @Test(arguments: 0..<4)
    func `an example with a part replaced at random is accepted or refused with a 4xx`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for endpoint in Endpoint.allCases {
            for (_, example) in try #require(requestMedia(endpoint)?["examples"]?.object) {
                for _ in 0..<100 {
                    let body = mutated(example["value"] ?? .null, using: &random)
                    do { try decode(body, endpoint) } catch {
                        #expect(error.status.kind == .clientError, "seed \(seed): \(body)")
                        #expect(validator.violations(of: error.json, against: schema("ErrorResponse")) == [])
                    }
                }
            }
        }
    }

    @Test(arguments: APIErrorTests.all)
    func `every error conforms`(error: APIError, status: Int, code: String?) {
        #expect(validator.violations(of: error.json, against: schema("ErrorResponse")) == [])
    }

    @Test func `the small bodies conform`() throws {
        let model = ServedModel.sample
        #expect(validator.violations(of: model.listJSON, against: schema("ModelList")) == [])
        #expect(validator.violations(of: try model.json(named: "tiny"), against: schema("Model")) == [])
        #expect(throws: APIError.modelNotFound("big")) { try model.json(named: "big") }
        for status in [ServerStatus.health, ServerStatus.ready] {
            #expect(try validator.violations(of: JSONValue(parsing: status), against: schema("Status")) == [])
        }
        #expect(
            validator.violations(
                of: ServerStatus.version("0.1.0", kernels: "portable", threads: 2), against: schema("Version"))
                == [])
    }

    @Test(arguments: [Endpoint.completions, .chat], [false, true])
    func `whole replies and chunks conform`(endpoint: Endpoint, isFull: Bool) throws {
        var fields: JSONObject = isFull ? ["return_token_ids": true, "service_tier": "auto"] : [:]
        if isFull { fields["logprobs"] = endpoint == .chat ? true : 2 }
        if isFull, endpoint == .chat { fields["top_logprobs"] = 2 }
        var whole = try makeStream(endpoint, fields, names: .letters)
        fields["stream"] = true
        if isFull { fields["stream_options"] = ["include_usage": true, "continuous_usage_stats": true] }
        var stream = try makeStream(endpoint, fields, names: .letters)
        var received: [JSONValue] = []
        for event in [
            event(0, "a", tokens: [token(0, -1, top: [(1, -0.5), (2, -.infinity)])]),
            event(0, "b", tokens: [token(1, -1, top: [])], finish: .stop(.string("x"))),
        ] {
            _ = whole.receive(event)
            received += try chunks(stream.receive(event))
        }
        #expect(received.count >= 2)
        for chunk in received {
            #expect(validator.violations(of: chunk, against: schema(endpoint.chunkSchema)) == [])
        }
        #expect(validator.violations(of: whole.body, against: schema(endpoint.responseSchema)) == [])
    }

    @Test func `the validator detects errors`() {
        for (name, value) in [
            ("Usage", ["prompt_tokens": 1]), ("Status", ["status": "bad"]), ("Status", ["status": "ok", "more": 1]),
            ("Model", "x"), ("TopP", -1), ("Stop", [""]), ("Choices", 1.5), ("LogitBias", ["x": 1]),
        ] as [(String, JSONValue)] {
            #expect(!validator.violations(of: value, against: schema(name)).isEmpty)
        }
        #expect(!validator.violations(of: 1, against: ["multipleOf": 1]).isEmpty)
    }
}

extension OpenAPITests {
    private func schema(_ name: String) -> JSONValue {
        validator.resolve("#/components/schemas/\(name)") ?? false
    }

    private func requestMedia(_ endpoint: Endpoint) -> JSONValue? {
        let path =
            switch endpoint {
            case .completions: "/v1/completions"
            case .chat: "/v1/chat/completions"
            case .messages: "/v1/messages"
            case .responses: "/v1/responses"
            case .embeddings: "/v1/embeddings"
            }
        return document["paths"]?[path]?["post"]?["requestBody"]?["content"]?["application/json"]
    }

    /// The smallest request with some additional parameters.
    private func minimal(_ endpoint: Endpoint, _ more: JSONObject) -> JSONValue {
        var body: JSONObject =
            switch endpoint {
            case .completions: ["prompt": [1]]
            case .chat: ["messages": [["role": "user", "content": "x"]]]
            case .messages: ["messages": [["role": "user", "content": "x"]], "max_tokens": 1]
            case .responses, .embeddings: ["input": "x"]
            }
        for (name, value) in more { body[name] = value }
        return .object(body)
    }

    private func decode(_ body: JSONValue, _ endpoint: Endpoint) throws(APIError) {
        var model = ServedModel.sample
        model.name = "trinity-tiny"
        model.speculates = true
        switch endpoint {
        case .completions: _ = try CompletionRequest(body, for: model)
        case .chat: _ = try ChatCompletionRequest(body, for: model)
        case .messages: _ = try ChatCompletionRequest(MessagesRequest.translate(body, for: model), for: model)
        case .embeddings: _ = try EmbeddingRequest(body, for: model)
        case .responses: _ = try ChatCompletionRequest(ResponsesRequest.translate(body, for: model), for: model)
        }
    }

    private func mutated(_ value: JSONValue, using random: inout SeededGenerator) -> JSONValue {
        let others: [JSONValue] = [
            .null, true, .integer(.max), .integer(.min), .bigInteger("99999999999999999999"), 1e300, -0.5, "", "\u{0}é",
            [], [:], [nil], ["": [:]],
        ]
        switch value {
        case .object(var object) where !random.oneIn(4):
            guard let member = Array(object).randomElement(using: &random) else { return value }
            object[member.name] = mutated(member.value, using: &random)
            return .object(object)
        case .array(let array) where !random.oneIn(4):
            var elements = Array(array)
            guard let index = elements.indices.randomElement(using: &random) else { return value }
            elements[index] = mutated(elements[index], using: &random)
            return .array(elements)
        default: return others.randomElement(using: &random) ?? .null
        }
    }

    private func collectReferences(_ value: JSONValue, into references: inout [String]) {
        for element in value.array ?? [] { collectReferences(element, into: &references) }
        for (name, member) in value.object ?? [:] {
            if name == "$ref", let reference = member.string { references.append(reference) }
            collectReferences(member, into: &references)
        }
    }

    /// Calls `body` with every media type object of requests and responses.
    private func visitMedia(_ value: JSONValue, _ body: (JSONValue) -> Void) {
        for element in value.array ?? [] { visitMedia(element, body) }
        for (name, member) in value.object ?? [:] {
            if name == "application/json" { body(member) } else { visitMedia(member, body) }
        }
    }
}

extension Endpoint {
    fileprivate var requestSchema: String {
        switch self {
        case .completions: "CompletionRequest"
        case .chat: "ChatCompletionRequest"
        case .messages: "MessagesRequest"
        case .responses: "ResponsesRequest"
        case .embeddings: "EmbeddingRequest"
        }
    }
    fileprivate var responseSchema: String { self == .chat ? "ChatCompletionResponse" : "CompletionResponse" }
    fileprivate var chunkSchema: String { self == .chat ? "ChatCompletionChunk" : "CompletionChunk" }
}
