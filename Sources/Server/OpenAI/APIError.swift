import HTTP
import HTTPTypes
import JSON

/// All errors of requests, in OpenAI's form: `{"error": {"message", "type", "param", "code"}}`, always with all four keys.
///
/// Messages are for the client: they contain the parameter, the bound and the given value, and never the server's internals.
package enum APIError: Error, Hashable, Sendable {
    case malformedJSON(JSONError)
    /// A parameter of the wrong type, out of range or in conflict with another; `param` is its path in the body.
    case invalid(param: String?, message: String)
    case missing(param: String)
    /// A parameter of another API or server that is not implemented here.
    case unsupported(param: String)
    /// An unknown parameter.
    case unrecognized(param: String)
    /// A conversation that the server would have to store (Anthropic's threads).
    case unsupportedThread
    /// The model's folder has no tokenizer (or chat template), so the request cannot be turned into tokens.
    case textUnavailable(param: String, message: String)
    case modelNotFound(String)
    /// There is no API key, or an unknown one.
    case unauthorized(isMissing: Bool)
    /// The key has reached its limit per minute.
    case rateLimited(RateLimiter.Standing.Exhausted, limit: Int, retryAfter: Int)
    /// `maxTokens` is the requested limit; `nil` if there was none.
    case contextLengthExceeded(param: String, promptTokens: Int, maxTokens: Int?, limit: Int)
    /// A text that is so long that it was not tokenized completely; it has at least `atLeast` tokens.
    case promptTooLong(param: String, atLeast: Int, limit: Int)
    /// The chat template refused the messages, with its own message, or failed at a line that the message names.
    case template(String)
    case notFound(path: String)
    case methodNotAllowed(method: String, allowed: [String])
    case unsupportedMediaType(String?)
    /// An unsupported compression of the body, with the value of its Content-Encoding field.
    case unsupportedContentEncoding(String)
    /// A compressed body that cannot be decompressed.
    case malformedContent(ContentCoding, isIncomplete: Bool)
    /// A Host field with a name that is not accepted.
    case forbiddenHost(String)
    /// A web page of another origin.
    case forbiddenOrigin(String)
    /// Refused by the HTTP layer before the request reached the service; `bodyLimit` in bytes.
    case wire(WireError, bodyLimit: Int)
    /// The queue is full; `retryAfter` in seconds.
    case overloaded(AdmissionController.Refusal, retryAfter: Int)
    /// The model is still being loaded; `retryAfter` in seconds.
    case notReady(retryAfter: Int)
    /// The server is draining and accepts no new requests; `retryAfter` in seconds.
    case draining(retryAfter: Int)
    /// The current step of the engine exceeds `--watchdog-timeout`; `retryAfter` in seconds.
    case stalled(retryAfter: Int)
    /// The server aborted an accepted request.
    case aborted
    /// The JSON of the body would take more memory than a request can ever get, in bytes.
    case bodyTooComplex(bytes: Int, limit: Int)
    /// The request was not complete within its timeout.
    case deadlineExceeded
    /// The request's constraints exclude every next token.
    case unsatisfiable
    /// A server error; the log has the details.
    case internalError
}

extension APIError {
    var status: HTTPResponse.Status {
        switch self {
        case .malformedJSON, .invalid, .missing, .unsupported, .unrecognized, .unsupportedThread, .textUnavailable,
            .contextLengthExceeded, .promptTooLong, .template, .malformedContent:
            .badRequest
        case .modelNotFound, .notFound: .notFound
        case .unauthorized: .unauthorized
        case .methodNotAllowed: .methodNotAllowed
        case .unsupportedMediaType, .unsupportedContentEncoding: .unsupportedMediaType
        case .forbiddenHost, .forbiddenOrigin: .forbidden
        case .wire(let error, _): error.status
        case .rateLimited: .tooManyRequests
        case .overloaded(.share, _): .tooManyRequests
        case .overloaded, .notReady, .draining, .stalled: .serviceUnavailable
        case .bodyTooComplex: .contentTooLarge
        case .deadlineExceeded: .gatewayTimeout
        case .unsatisfiable: .badRequest
        case .aborted, .internalError: .internalServerError
        }
    }

    /// `invalid_request_error` if the client must change the request, `server_error` if it may retry; for a rate limit
    /// `requests` or `tokens`, as in OpenAI's API.
    var type: String {
        if case .rateLimited(let exhausted, _, _) = self { return exhausted.rawValue }
        if case .overloaded(.share, _) = self { return RateLimiter.Standing.Exhausted.requests.rawValue }
        return status.kind == .serverError ? "server_error" : "invalid_request_error"
    }

    /// The path of the invalid parameter, such as `messages[2].content[0]`.
    var param: String? {
        switch self {
        case .invalid(let param, _): param
        case .missing(let param), .unsupported(let param), .unrecognized(let param), .textUnavailable(let param, _),
            .contextLengthExceeded(let param, _, _, _), .promptTooLong(let param, _, _):
            param
        case .modelNotFound: "model"
        case .unsupportedThread: "thread"
        case .template: "messages"
        default: nil
        }
    }

    var code: String? {
        switch self {
        case .malformedJSON: "invalid_json"
        case .invalid: "invalid_value"
        case .missing: "missing_required_parameter"
        case .unsupported, .unsupportedThread: "unsupported_parameter"
        case .unrecognized: "unknown_parameter"
        case .textUnavailable: "text_unavailable"
        case .modelNotFound: "model_not_found"
        case .unauthorized: "invalid_api_key"
        case .rateLimited: "rate_limit_exceeded"
        case .contextLengthExceeded, .promptTooLong: "context_length_exceeded"
        case .template: "template_error"
        case .notFound: "unknown_url"
        case .methodNotAllowed: "method_not_allowed"
        case .unsupportedMediaType: "unsupported_media_type"
        case .unsupportedContentEncoding: "unsupported_content_encoding"
        case .malformedContent: "invalid_content_encoding"
        case .forbiddenHost: "forbidden_host"
        case .forbiddenOrigin: "forbidden_origin"
        case .wire(.bodyTooLarge, _): "body_too_large"
        case .wire(.timedOut, _): "request_timeout"
        case .wire(.overloaded, _), .wire(.bodyMemoryExhausted, _): "server_overloaded"
        case .wire: "invalid_http"
        case .overloaded(.share, _): "rate_limit_exceeded"
        case .overloaded: "server_overloaded"
        case .notReady: "server_not_ready"
        case .draining: "server_draining"
        case .stalled: "engine_stalled"
        case .bodyTooComplex: "body_too_large"
        case .aborted: "aborted"
        case .deadlineExceeded: "deadline_exceeded"
        case .unsatisfiable: "unsatisfiable"
        case .internalError: nil
        }
    }

    /// The time in seconds after which to retry. OpenAI's client does not retry at all if this is above 120 s.
    var retryAfter: Int? {
        switch self {
        case .overloaded(_, let seconds), .notReady(let seconds), .draining(let seconds), .stalled(let seconds),
            .rateLimited(_, _, let seconds):
            min(max(seconds, 1), 120)
        default: nil
        }
    }

    /// The JSON object of a reply, or of an event of a stream that has begun.
    var json: JSONValue {
        [
            "error": [
                "message": .string(message), "type": .string(type), "param": param.map(JSONValue.string) ?? .null,
                "code": code.map(JSONValue.string) ?? .null,
            ]
        ]
    }

    /// The additional fields of the reply.
    var headerFields: HTTPFields {
        var fields: HTTPFields = [.contentType: "application/json"]
        if case .unauthorized = self { fields[.wwwAuthenticate] = "Bearer" }
        fields[.retryAfter] = retryAfter.map(String.init)
        // OpenAI's clients would retry it, although the result is no longer wanted.
        if case .deadlineExceeded = self, let name = HTTPField.Name("x-should-retry") { fields[name] = "false" }
        // Lists the supported encodings (RFC 9110, 12.5.3 and 15.5.16).
        if case .unsupportedContentEncoding = self { fields[.acceptEncoding] = ContentCoding.accepted }
        if case .methodNotAllowed(_, let allowed) = self { fields[.allow] = allowed.joined(separator: ", ") }
        return fields
    }
}

extension APIError {
    var message: String {
        switch self {
        case .malformedJSON(let error):
            "The request body is not valid JSON: \(error.reason) at byte \(error.offset)."
        case .invalid(_, let message), .textUnavailable(_, let message): message
        case .missing(let param): "The parameter '\(param)' is required."
        case .unsupported(let param): "The parameter '\(param.excerpt)' is not supported yet."
        case .unsupportedThread: "The parameter 'thread' is not supported: send the whole conversation in 'messages'."
        case .unrecognized(let param): "Unrecognized request argument supplied: \(param.excerpt)"
        case .unauthorized(isMissing: true):
            "An API key is required: 'Authorization: Bearer KEY' or 'x-api-key: KEY'."
        case .unauthorized: "Invalid API key."
        case .rateLimited(let exhausted, let limit, let seconds):
            "Rate limit reached: \(limit) \(exhausted.rawValue) a minute. Try again in \(seconds) s."
        case .modelNotFound(let name): "The model '\(name.excerpt)' does not exist."
        // Programs recognize this error by the beginning of OpenAI's sentence, not by the code.
        case .contextLengthExceeded(_, let promptTokens, 0?, let limit):
            "This model's maximum context length is \(limit) tokens, but the prompt has \(promptTokens)."
        case .contextLengthExceeded(_, let promptTokens, let maxTokens?, let limit):
            """
            This model's maximum context length is \(limit) tokens, which cannot hold the prompt's \(promptTokens) tokens and \
            the \(maxTokens) requested for the completion.
            """
        case .promptTooLong(_, let atLeast, let limit):
            "This model's maximum context length is \(limit) tokens, but the prompt has at least \(atLeast)."
        case .contextLengthExceeded(_, let promptTokens, nil, let limit):
            """
            This model's maximum context length is \(limit) tokens, but the prompt has \(promptTokens), which leaves no room \
            for a completion.
            """
        case .template(let message): message
        case .notFound(let path): "Not found: \(path.excerpt)"
        case .methodNotAllowed("OPTIONS", let allowed):
            """
            The method OPTIONS is not allowed here; use \(allowed.joined(separator: " or ")). Web pages of another origin need \
            --allowed-origins.
            """
        case .methodNotAllowed(let method, let allowed):
            "The method \(method.excerpt) is not allowed here; use \(allowed.joined(separator: " or "))."
        case .unsupportedMediaType(let type?): "The body must be application/json, not \(type.excerpt)."
        case .unsupportedMediaType(nil): "The body must be application/json; the request has no Content-Type."
        case .unsupportedContentEncoding(let encoding):
            """
            The Content-Encoding \(encoding.excerpt) is not supported; send \(ContentCoding.accepted), and at most \
            \(ContentCoding.mostOfBody) of them together.
            """
        case .malformedContent(let coding, isIncomplete: true): "The body ends before the end of its \(coding) data."
        case .malformedContent(let coding, isIncomplete: false): "The body is not valid \(coding) data."
        case .forbiddenHost(let host):
            """
            Host \(host.excerpt) is not allowed. A server without API keys accepts localhost, 127.0.0.1, [::1] and the names of \
            --allowed-hosts, which it needs behind a reverse proxy that passes on the Host field.
            """
        case .forbiddenOrigin(let origin):
            """
            Origin \(origin.excerpt) is not allowed. A server without API keys accepts its own pages and the origins of \
            --allowed-origins.
            """
        case .wire(.bodyTooLarge, let limit): "The request body is larger than \(limit) bytes."
        case .wire(let error, _): error.reason
        case .overloaded(.permits, _): "The server is overloaded: its queue is full. Try again later."
        case .overloaded(.share, _): "This API key has reached its share of the server's queue. Try again later."
        case .overloaded(.memory, _):
            "The server is overloaded: the memory for requests is in use. Try again later."
        case .overloaded(.threads, _):
            "The server is overloaded: the system cannot start more threads. Try again later."
        case .overloaded(.tokens, _): "The server is overloaded: too many prompt tokens are queued. Try again later."
        case .overloaded(.wait, _): "The server is overloaded: the request would wait too long. Try again later."
        case .notReady: "The model is still being loaded. Try again later."
        case .stalled: "The engine is stalled: its current step has taken longer than --watchdog-timeout."
        case .draining: "The server is shutting down and rejects new requests."
        case .bodyTooComplex(let bytes, let limit):
            "The request needs \(bytes) bytes of memory, more than \(limit) (--max-body-memory)."
        case .aborted: "The server stopped the request before it was complete."
        case .deadlineExceeded: "The request was not complete within its timeout."
        case .unsatisfiable:
            """
            The request's constraints (a schema, bad_words, logit_bias, allowed_token_ids, min_tokens) exclude every next token.
            """
        case .internalError: "Internal server error while processing the request."
        }
    }
}

extension String {
    /// The beginning of a client's text, short enough for an error message.
    var excerpt: String {
        let limit = 80
        guard unicodeScalars.count > limit else { return self }
        return String(String.UnicodeScalarView(unicodeScalars.prefix(limit))) + "…"
    }
}
