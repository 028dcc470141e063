import Testing

@testable import Hub

@Suite struct RefusalTests {
    private func attempt(
        _ status: Int, _ fields: [String: String] = [:], file: String? = nil, hasToken: Bool = false
    ) throws -> FailedAttempt {
        try Refusal(status: status, fields: fields, url: "https://hub/x")
            .attempt(for: #require(HubReference("a/b@v1")), file: file, endpoint: "https://hub", hasToken: hasToken)
    }

    @Test func `the Hub's own reasons become errors that say what to do`() throws {
        #expect(try attempt(401, ["x-error-code": "GatedRepo"]).error.description.contains("HF_TOKEN"))
        #expect(
            try attempt(403, ["x-error-code": "GatedRepo"], hasToken: true).error.description
                == "a/b is gated: accept its conditions on https://hub/a/b with the account of the token")
        #expect(
            try attempt(404, ["x-error-code": "RevisionNotFound"]).error == .noRevision("v1", repository: "a/b"))
        #expect(
            try attempt(404, ["x-error-code": "EntryNotFound"], file: "c").error == .noFile("c", repository: "a/b"))
        let missing = HubError.noRepository("a/b", endpoint: "https://hub", hasToken: false)
        #expect(try attempt(401, ["x-error-code": "RepoNotFound"]).error == missing)
        #expect(try attempt(401).error == missing && attempt(404).error == missing)
        #expect(try attempt(404, file: "c").error == .noFile("c", repository: "a/b"))
        let invalid = ["x-error-message": "Invalid credentials in Authorization header"]
        #expect(try attempt(401, invalid, hasToken: true).error == .badToken(endpoint: "https://hub"))
        #expect(try !attempt(401).isTransient && !attempt(403).isTransient)
    }

    @Test func `only errors that may pass are tried again, after the pause that the server asks for`() throws {
        for status in [408, 429, 500, 502, 503, 504] { #expect(try attempt(status).isTransient) }
        #expect(try attempt(429, ["retry-after": "7"]).pause == .seconds(7))
        #expect(try attempt(429, ["ratelimit": "\"api\";r=0;t=55"]).pause == .seconds(55))
        #expect(try attempt(503, ["retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"]).pause == nil)
        #expect(try attempt(503, ["retry-after": "-1"]).pause == nil)
    }

    @Test func `a server's own words are printed only as far as they are short plain text`() throws {
        let words = "\u{1B}[31m" + String(repeating: "x", count: 300)
        let error = try attempt(400, ["x-error-message": words]).error
        #expect(error == .status(400, url: "https://hub/x", reason: "[31m" + String(repeating: "x", count: 196)))
    }

    @Test func `a pause beyond five minutes ends the download with the error`() throws {
        var retries = Retries { false }
        let failed = try attempt(429, ["retry-after": "301"])
        #expect(throws: failed.error) { try retries.pause(after: failed) }
    }

    @Test func `a stopped download does not wait`() throws {
        var retries = Retries { true }
        let failed = try attempt(429, ["retry-after": "300"])
        #expect(throws: HubError.cancelled) { try retries.pause(after: failed) }
    }
}
