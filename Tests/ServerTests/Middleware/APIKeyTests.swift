import Foundation
import HTTPTypes
import JSON
import TestSupport
import Testing

@testable import Server

/// API keys and the requests that they allow.
@Suite struct APIKeyTests {
    private func keys(_ file: String) throws -> APIKeys {
        var keys = APIKeys()
        try keys.add(file: file)
        return keys
    }

    @Test func `a digest equals that of FIPS 180's example`() {
        let digest = APIKeys.digest(of: "abc").map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        #expect(digest == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    }

    @Test func `a key is accepted in plain text or as its digest, in either field`() throws {
        let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        let keys = try keys("# people\nann  secret-1\n\nbob sha256:\(digest)\r\n")
        let field = try #require(HTTPField.Name("x-api-key"))
        for (fields, name) in [
            ([.authorization: "Bearer secret-1"], "ann"), ([.authorization: "bearer  abc"], "bob"),
            ([field: "abc"], "bob"), ([.authorization: "Bearer secret-2"], nil), ([.authorization: "secret-1"], nil),
            ([.authorization: "Basic secret-1"], nil), ([.authorization: "Bearer \(digest)"], nil), ([:], nil),
            ([.authorization: "Bearer sha256:\(digest)"], nil), ([field: ""], nil),
            // Other credentials, or a wrong key, in addition to a right one.
            ([.authorization: "Basic dTpw", field: "abc"], "bob"),
            ([.authorization: "Bearer no", field: "abc"], "bob"),
            ([.authorization: "Bearer secret-1", field: "no"], "ann"),
            ([.authorization: "Basic abc", field: "no"], nil),
        ] as [(HTTPFields, String?)] {
            #expect(keys.key(in: fields)?.name == name, "\(fields)")
        }
    }

    @Test(arguments: ["\n", "\r\n", "\r"], ["", "\u{FEFF}"])
    func `line ends of any system are accepted, and a byte order mark is not part of a name`(end: String, mark: String)
        throws
    {
        for comment in ["", "# team\(end)\(end)"] {
            let keys = try keys(mark + comment + "ann secret-1\(end)bob secret-2 requests-per-minute=5\(end)")
            #expect(keys.key(in: [.authorization: "Bearer secret-1"])?.name == "ann")
            #expect(keys.key(in: [.authorization: "Bearer secret-2"])?.limits.requestsPerMinute == 5)
        }
        let flaw = #expect(throws: APIKeys.Flaw.self) { try self.keys("ann secret-1\(end)bob\(end)") }
        #expect(flaw?.reason == "line 2 must be a name and a key")
    }

    @Test(
        arguments: [
            ("ann", "line 1 must be a name and a key"), ("\nann a b", "line 2: 'b' must be a limit"),
            ("ann a\nann b", "'ann' is defined twice"),
            ("ann sha256:12", "64 hexadecimal digits"), ("ann sha256:" + String(repeating: "g", count: 64), "64 hex"),
            ("ann kéy", "printable ASCII"),
        ])
    func `an invalid line is reported, and no key is shown`(file: String, reason: String) {
        let flaw = #expect(throws: APIKeys.Flaw.self) { try keys(file) }
        #expect(flaw?.reason.contains(reason) == true, "\(flaw?.reason ?? "")")
    }

    @Test(arguments: 0..<5)
    func `a key is found as in a list, whatever was added and removed`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var keys = APIKeys()
        // Names with their keys, of which several may be equal: the last one counts.
        var list: [(name: String, key: String, isFromFile: Bool)] = []
        func check() {
            for number in 0..<20 {
                let expected = list.last(where: { $0.key == "k\(number)" })?.name
                #expect(keys.key(in: [.authorization: "Bearer k\(number)"])?.name == expected)
            }
        }
        for round in 0..<4 {
            for number in 0..<10 {
                let (name, key) = ("\(round)-\(number)", "k\(Int.random(in: 0..<20, using: &random))")
                let isFromFile = Bool.random(using: &random)
                if isFromFile { try keys.add(file: "\(name) \(key)") } else { try keys.add(key, name: name) }
                list.append((name, key, isFromFile))
            }
            check()
            var current = APIKeys()
            let kept = Set((0..<10).map { _ in "k\(Int.random(in: 0..<20, using: &random))" })
            for key in kept { try current.add(key, name: key) }
            let count = list.count
            list.removeAll { $0.isFromFile && !kept.contains($0.key) }
            #expect(keys.revoke(missingFrom: current) == count - list.count)
            check()
        }
        keys.removeAllFromFile()
        list.removeAll(where: \.isFromFile)
        check()
    }

    @Test func `a file without keys is refused, because it would not close the server`() throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "keys-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: file) }
        for text in ["", "# none\n"] {
            try Data(text.utf8).write(to: file)
            #expect(throws: ConfigurationError.self) {
                try ServerConfiguration(flags: [.apiKeyFile: file.path], environment: [:])
            }
        }
        #expect(throws: ConfigurationError.self) {
            try ServerConfiguration(flags: [.apiKeyFile: "/nowhere"], environment: [:])
        }
        #expect(throws: ConfigurationError.self) {
            try ServerConfiguration(flags: [.metricsAccess: "key"], environment: [:])
        }
        let both = try ServerConfiguration(flags: [.metricsAccess: "key"], environment: ["TRINITY_API_KEY": "k"])
        #expect(both.metricsNeedKey && !both.apiKeys.isEmpty)
    }

    @Test func `a server with keys accepts only requests with one`() async throws {
        let server = try await TestServer.start { configuration in
            try? configuration.apiKeys.add("secret", name: "ann")
            configuration.metricsNeedKey = true
        }
        let body: JSONValue = ["prompt": "a", "max_tokens": 1]
        for (path, headers, status) in [
            ("/v1/completions", [], 401), ("/v1/completions", ["Authorization: Bearer no"], 401),
            ("/v1/completions", ["Authorization: Bearer secret"], 200), ("/v1/completions", ["x-api-key: secret"], 200),
            ("/tokenize", [], 401),
        ] as [(String, [String], Int)] {
            let reply = try await server.post(path, body, headers: headers)
            #expect(reply.status == status, "\(path) \(headers)")
            guard status == 401 else { continue }
            #expect(reply.json["error"]?["code"] == "invalid_api_key")
        }
        let message = try await server.post("/v1/messages", body)
        #expect(message.status == 401 && message.json["error"]?["type"] == "authentication_error")
        for (path, status) in [
            ("/health", 200), ("/ready", 200), ("/version", 200), ("/metrics", 401), ("/v1/models", 401),
            ("/nothing", 404),
        ] {
            #expect(try await server.get(path).status == status, "\(path)")
        }
        await server.stop()
    }

    @Test func `the error of a refusal explains how to send a key`() {
        #expect(APIError.unauthorized(isMissing: true).headerFields[.wwwAuthenticate] == "Bearer")
        #expect(APIError.unauthorized(isMissing: true).message != APIError.unauthorized(isMissing: false).message)
    }
}
