import HTTPTypes
import JSON
import Testing

@testable import Server

@Suite struct APIErrorTests {
    /// One of each error, except invalid JSON.
    static let all: [(APIError, Int, String?)] = [
        (.invalid(param: "n", message: "m"), 400, "invalid_value"),
        (.missing(param: "prompt"), 400, "missing_required_parameter"),
        (.unsupported(param: "echo"), 400, "unsupported_parameter"),
        (.unrecognized(param: "ehco"), 400, "unknown_parameter"),
        (.textUnavailable(param: "prompt", message: "m"), 400, "text_unavailable"),
        (.modelNotFound("gpt"), 404, "model_not_found"),
        (.unauthorized(isMissing: true), 401, "invalid_api_key"),
        (.unauthorized(isMissing: false), 401, "invalid_api_key"),
        (
            .contextLengthExceeded(param: "prompt", promptTokens: 5, maxTokens: nil, limit: 4), 400,
            "context_length_exceeded"
        ),
        (.template("two turns"), 400, "template_error"),
        (.notFound(path: "/v2"), 404, "unknown_url"),
        (.methodNotAllowed(method: "PUT", allowed: ["GET", "HEAD"]), 405, "method_not_allowed"),
        (.unsupportedMediaType("text/plain"), 415, "unsupported_media_type"),
        (.unsupportedContentEncoding("br"), 415, "unsupported_content_encoding"),
        (.malformedContent(.gzip, isIncomplete: true), 400, "invalid_content_encoding"),
        (.malformedContent(.deflate, isIncomplete: false), 400, "invalid_content_encoding"),
        (.wire(.bodyTooLarge, bodyLimit: 10), 413, "body_too_large"),
        (.bodyTooComplex(bytes: 20, limit: 10), 413, "body_too_large"),
        (.overloaded(.permits, retryAfter: 5), 503, "server_overloaded"),
        (.overloaded(.tokens, retryAfter: 5), 503, "server_overloaded"),
        (.overloaded(.threads, retryAfter: 5), 503, "server_overloaded"),
        (.overloaded(.memory, retryAfter: 5), 503, "server_overloaded"),
        (.overloaded(.share, retryAfter: 5), 429, "rate_limit_exceeded"),
        (.overloaded(.wait, retryAfter: 5), 503, "server_overloaded"),
        (.rateLimited(.tokens, limit: 100, retryAfter: 5), 429, "rate_limit_exceeded"),
        (.notReady(retryAfter: 5), 503, "server_not_ready"),
        (.draining(retryAfter: 5), 503, "server_draining"),
        (.stalled(retryAfter: 5), 503, "engine_stalled"),
        (.deadlineExceeded, 504, "deadline_exceeded"),
        (.aborted, 500, "aborted"),
        (.internalError, 500, nil),
    ]

    @Test(arguments: all)
    func `every error has its status and all four keys`(error: APIError, status: Int, code: String?) throws {
        #expect(error.status.code == status)
        #expect(error.code == code)
        let body = try JSONValue(parsing: error.json.serialized)
        #expect(body["error"]?.object.map { Array($0.names) } == ["message", "type", "param", "code"])
        #expect(body["error"]?["message"]?.string?.isEmpty == false)
        let isShare = error == .overloaded(.share, retryAfter: 5)
        let type: JSONValue =
            isShare ? "requests" : status >= 500 ? "server_error" : status == 429 ? "tokens" : "invalid_request_error"
        #expect(body["error"]?["type"] == type)
        #expect(error.headerFields[.contentType] == "application/json")
        #expect((error.headerFields[.retryAfter] != nil) == [429, 503].contains(status))
    }

    @Test func `invalid JSON is refused with the byte offset`() throws {
        let error = try #require(throws: APIError.self) { try JSONValue(requestBody: Array("[1,".utf8)) }
        #expect(error.status == .badRequest && error.code == "invalid_json" && error.message.contains("byte 3"))
    }

    @Test func `without a completion, only the prompt must fit the context`() {
        let error = APIError.contextLengthExceeded(param: "input", promptTokens: 5, maxTokens: 0, limit: 4)
        #expect(error.message == "This model's maximum context length is 4 tokens, but the prompt has 5.")
    }

    @Test(arguments: [(0, 1), (1, 1), (77, 77), (120, 120), (500, 120), (.min, 1)] as [(Int, Int)])
    func `Retry-After is at most two minutes`(seconds: Int, sent: Int) {
        #expect(APIError.overloaded(.permits, retryAfter: seconds).headerFields[.retryAfter] == "\(sent)")
    }

    @Test func `the reply to a wrong method lists the allowed ones`() {
        let error = APIError.methodNotAllowed(method: "PUT", allowed: ["GET", "HEAD"])
        #expect(error.headerFields[.allow] == "GET, HEAD")
    }

    @Test func `errors repeat only a part of a client's text`() {
        let long = String(repeating: "x", count: 100_000)
        for error in [
            APIError.modelNotFound(long), .notFound(path: long), .unrecognized(param: long),
            .unsupportedMediaType(long),
        ] {
            #expect(error.message.utf8.count < 300)
        }
    }
}
