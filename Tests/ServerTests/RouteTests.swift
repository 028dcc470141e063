import HTTPTypes
import JSON
import Testing

@testable import Server

@Suite struct RouteTests {
    @Test(
        arguments: [
            ("/v1/chat/completions/", .chatCompletions), ("//v1//chat/completions", .chatCompletions),
            ("/chat/completions", .chatCompletions), ("/completions/", .completions), ("/models", .models),
            ("/responses", .responses), ("/messages/count_tokens", .messageTokens), ("/messages", .messages),
            ("/health/", .health), ("//", .page), ("/ping", .ping), ("/openapi.json", .openAPIJSON),
            ("/v1/v1/messages", .messages),
        ] as [(String, Route)])
    func `extra slashes and a missing version are accepted`(path: String, route: Route) {
        #expect(RouteMatch(path: path)?.route == route)
    }

    @Test(
        arguments: [
            ("/models/a/b", "a/b"), ("/v1/models/a%2Fb/", "a/b"), ("/v1/models/%7Bmodel%7D", "{model}"),
            ("/v1/models/{model}", "{model}"),
        ])
    func `the end of a path names a model`(path: String, model: String) {
        #expect(RouteMatch(path: path)?.route == .model && RouteMatch(path: path)?.argument == model)
    }

    @Test(
        arguments: [
            "/v2/completions", "/v1", "/v1/v1", "/v1/v1/v1/models", "/v1/health", "/v1/tokenize", "/v1/chat", "/chat",
            "/completion", "*",
            "/v1/models/%FF", "/v1/modelsx",
        ])
    func `other paths have no route`(path: String) {
        #expect(RouteMatch(path: path) == nil)
    }

    @Test func `every route is found by its own path`() {
        for route in Route.allCases { #expect(RouteMatch(path: route.pattern)?.route == route) }
    }

    @Test func `the server describes itself under the names of other servers`() async throws {
        let document = try OpenAPIDocument.load()
        let validator = SchemaValidator(document: document)
        let server = try await TestServer.start()
        for path in ["/props", "/load", "/ping", "/openapi.json", "/ready"] {
            let response = try await server.get(path)
            let content = document["paths"]?[path]?["get"]?["responses"]?["200"]?["content"]
            let schema = try #require(content?["application/json"]?["schema"])
            #expect(response.status == 200 && validator.violations(of: response.json, against: schema) == [], "\(path)")
        }
        #expect(try await server.get("/load").json == ["server_load": 0], "it does not count itself")
        let properties = try await server.get("/props").json
        let info = try await server.get("/tokenizer_info").json
        #expect(properties["chat_template"] == info["chat_template"] && properties["model_path"] == "trinity-tiny")
        let parameters = properties["default_generation_settings"]?["params"]
        #expect(parameters?["temperature"] == .double(0.3) && parameters?["top_p"] == .double(0.9))
        #expect(properties["default_generation_settings"]?["n_ctx"]?.integer == info["model_max_length"]?.integer)
        #expect(try await server.get("/openapi.json").json == document)
        let yaml = try await server.get("/openapi.yaml")
        #expect(try OpenAPIDocument.value(of: yaml.body) == document)
        #expect(yaml.header("content-type") == "application/yaml")
        await server.stop()
    }

    @Test func `a model can be requested by each of its names`() async throws {
        let server = try await TestServer.start { $0.servedModelNames = ["tiny", "org/tiny"] }
        let list = try await server.get("/v1/models").json
        #expect(list["data"]?.array?.map { $0["id"]?.string } == ["tiny", "org/tiny"])
        #expect(try await server.get("/v1/models/org/tiny").json["id"] == "org/tiny")
        for (asked, named) in [("org/tiny", "org/tiny"), ("tiny", "tiny"), (nil, "tiny")] as [(String?, String)] {
            let chat: JSONValue = [
                "model": asked.map(JSONValue.string) ?? .null, "messages": [["role": "user", "content": "a"]],
                "max_tokens": 2, "stream": true,
            ]
            let chunks = try await server.post("/v1/chat/completions", chat).chunks
            #expect(!chunks.isEmpty && chunks.allSatisfy { $0["model"]?.string == named })
            var message = chat.object ?? [:]
            message["stream"] = false
            #expect(try await server.post("/v1/messages", .object(message)).json["model"]?.string == named)
            #expect(
                try await server.post("/v1/chat/completions/render", .object(message)).json["model"]?.string == named)
        }
        #expect(try await server.post("/v1/completions", ["model": "other", "prompt": "a"]).status == 404)
        await server.stop()
    }

    @Test func `a request that waits for its model's reply counts as load`() async throws {
        let server = try await TestServer.start()
        async let reply = server.post("/completions/", ["prompt": "a", "max_tokens": 1500, "ignore_eos": true])
        var load: JSONValue?
        while load == nil || load == ["server_load": 0] { load = try await server.get("/load").json }
        #expect(load == ["server_load": 1])
        #expect(try await reply.status == 200)
        await server.stop()
    }

    @Test(arguments: [true, false])
    func `OPTIONS without configured origins names the option`(hasKey: Bool) async throws {
        let server = try await TestServer.startWithoutWaiting { configuration in
            if hasKey { try? configuration.apiKeys.add("secret", name: "ann") }
        }
        let asked = try await server.get("/v1/chat/completions", method: "OPTIONS")
        #expect(asked.status == 405 && asked.header("allow") == "POST")
        #expect(asked.json["error"]?["message"]?.string?.contains("--allowed-origins") == true)
        let foreign = try await CurlClient.send(
            CurlRequest(
                url: server.url + "/v1/completions", method: "OPTIONS",
                headers: ["Origin: https://a.example", "Access-Control-Request-Method: POST"]))
        #expect(foreign.status == (hasKey ? 405 : 403) && foreign.body.contains("--allowed-origins"))
        await server.stop()
    }

    @Test func `HTTP/2 with prior knowledge is answered in HTTP/1`() async throws {
        let server = try await TestServer.startWithoutWaiting()
        let reply = try await RawClient.exchange(
            port: server.application.address.port, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        #expect(reply.hasPrefix("HTTP/1.1 505 ") && reply.contains("The client begins with HTTP/2"))
        await server.stop()
    }
}
