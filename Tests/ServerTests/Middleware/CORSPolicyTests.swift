import HTTPTypes
import Testing

@testable import Server

/// Which web pages may use the API (Fetch Standard, 3.2).
@Suite struct CORSPolicyTests {
    private func request(_ origin: String?) -> HTTPRequest {
        var request = HTTPRequest(method: .options, scheme: nil, authority: nil, path: "/v1/completions")
        request.headerFields[.origin] = origin
        request.headerFields[.accessControlRequestMethod] = "POST"
        request.headerFields[.accessControlRequestHeaders] = "authorization, x-stainless-os"
        return request
    }

    @Test(arguments: [
        "", "example.com", "https://", "https://a.example/", "ftp://a", "https://*.example.com", "https://a b",
    ])
    func `an invalid origin is refused`(text: String) {
        #expect(CORSPolicy(text) == nil)
    }

    @Test func `an origin in the list is allowed, and no other`() throws {
        let policy = try #require(CORSPolicy("https://a.example, http://localhost:3000"))
        let fields = policy.fields(for: request("http://localhost:3000"))
        #expect(fields[.accessControlAllowOrigin] == "http://localhost:3000" && fields[.vary] == "Origin")
        for origin in ["https://b.example", "https://a.example.evil", nil] {
            let fields = policy.fields(for: request(origin))
            #expect(fields[.accessControlAllowOrigin] == nil && fields[.vary] == "Origin", "\(origin ?? "none")")
            #expect(policy.preflight(request(origin), allowing: [.post]) == nil)
        }
    }

    @Test func `origins may be a JSON array`() {
        #expect(
            CORSPolicy(#"["https://a.example", "https://b.example"]"#)
                == CORSPolicy("https://a.example,https://b.example"))
        #expect(CORSPolicy(#"["*"]"#) == CORSPolicy("*"))
        for text in [#"["https://a.example", 1]"#, #"["https://a.example""#, "[]"] { #expect(CORSPolicy(text) == nil) }
    }

    @Test func `a preflight request gets the allowed methods and fields`() throws {
        let answer = try #require(CORSPolicy("*")?.preflight(request("https://any.example"), allowing: [.post]))
        #expect(answer[.accessControlAllowOrigin] == "*" && answer[.accessControlAllowMethods] == "POST")
        #expect(answer[.accessControlAllowHeaders] == "authorization, x-stainless-os")
        var plain = request("https://any.example")
        plain.headerFields[.accessControlRequestMethod] = nil
        #expect(CORSPolicy("*")?.preflight(plain, allowing: [.post]) == nil, "not every OPTIONS is such a question")
    }

    @Test func `a preflight request needs no key, the request does`() async throws {
        let server = try await TestServer.start { configuration in
            configuration.cors = CORSPolicy("https://a.example")
            try? configuration.apiKeys.add("secret", name: "ann")
        }
        let asked = try await CurlClient.send(
            CurlRequest(
                url: server.url + "/v1/completions", method: "OPTIONS",
                headers: ["Origin: https://a.example", "Access-Control-Request-Method: POST"]))
        #expect(asked.status == 204 && asked.header("access-control-allow-methods") == "POST")
        let refused = try await server.post("/v1/completions", [:], headers: ["Origin: https://a.example"])
        #expect(refused.status == 401 && refused.header("access-control-allow-origin") == "https://a.example")
        await server.stop()
    }

    @Test func `without a policy nothing is allowed`() async throws {
        let server = try await TestServer.startWithoutWaiting()
        let asked = try await CurlClient.send(
            CurlRequest(
                url: server.url + "/v1/completions", method: "OPTIONS",
                headers: ["Origin: https://a.example", "Access-Control-Request-Method: POST"]))
        #expect(asked.status == 403 && asked.header("access-control-allow-origin") == nil)
        await server.stop()
    }
}
