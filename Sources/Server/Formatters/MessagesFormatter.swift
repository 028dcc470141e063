import Engine
import HTTP
import JSON

/// Writes responses in the format of Anthropic's Messages API: content blocks, and events that start, extend and stop them.
struct MessagesFormatter: ItemizedFormatter {
    /// The token limit that the client gave; nil: none.
    var maxTokens: Int?

    func body(of response: ResponseState) -> JSONValue {
        var message = Self.message(response)
        message["content"] = .array(
            response.items.enumerated().map { Self.block($1, number: $0, response.head) })
        for (name, value) in end(response, response.finish) { message[name] = value }
        return .object(message)
    }

    func begin(_ response: ResponseState, to output: inout [UInt8]) {
        write(["type": "message_start", "message": .object(Self.message(response))], to: &output)
    }

    func open(_ number: Int, of response: ResponseState, to output: inout [UInt8]) {
        let block = Self.block(OutputItem(kind: response.items[number].kind), number: number, response.head)
        write(["type": "content_block_start", "index": .integer(number), "content_block": block], to: &output)
    }

    func extend(_ number: Int, by text: String, of response: ResponseState, to output: inout [UInt8]) {
        let delta: JSONValue =
            switch response.items[number].kind {
            case .reasoning: ["type": "thinking_delta", "thinking": .string(text)]
            case .call: ["type": "input_json_delta", "partial_json": .string(text)]
            case .text: ["type": "text_delta", "text": .string(text)]
            }
        write(["type": "content_block_delta", "index": .integer(number), "delta": delta], to: &output)
    }

    func close(_ number: Int, of response: ResponseState, to output: inout [UInt8]) {
        write(["type": "content_block_stop", "index": .integer(number)], to: &output)
    }

    func end(_ response: ResponseState, _ finish: FinishReason, to output: inout [UInt8]) {
        write(
            [
                "type": "message_delta", "delta": .object(end(response, finish)),
                "usage": Self.json(response.usage),
            ], to: &output)
        write(["type": "message_stop"], to: &output)
    }

    func fail(_ error: APIError, _ response: ResponseState, to output: inout [UInt8]) {
        write(error.anthropicJSON(requestID: response.head.requestID), to: &output)
    }
}

extension MessagesFormatter {
    /// The message at the beginning, without content.
    private static func message(_ response: ResponseState) -> JSONObject {
        [
            "id": .string("msg_\(response.head.objectID)"), "type": "message", "role": "assistant",
            "model": .string(response.head.model), "content": [], "stop_reason": .null, "stop_sequence": .null,
            "usage": json(response.usage),
        ]
    }

    /// The JSON of the usage. Prompt tokens from the cache are counted separately.
    private static func json(_ usage: Usage) -> JSONValue {
        [
            "input_tokens": .integer(usage.promptTokens - usage.cachedTokens), "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": .integer(usage.cachedTokens), "output_tokens": .integer(usage.completionTokens),
        ]
    }

    private func end(_ response: ResponseState, _ finish: FinishReason) -> JSONObject {
        let calls = response.items.contains {
            if case .call = $0.kind { true } else { false }
        }
        switch finish {
        case .length:
            // A reply with fewer tokens than the client allowed was cut off by the context.
            let isFull = maxTokens.map { response.usage.completionTokens < $0 } ?? true
            return [
                "stop_reason": .string(isFull ? "model_context_window_exceeded" : "max_tokens"), "stop_sequence": .null,
            ]
        case .stop(.string(let text)): return ["stop_reason": "stop_sequence", "stop_sequence": .string(text)]
        default: return ["stop_reason": calls ? "tool_use" : "end_turn", "stop_sequence": .null]
        }
    }

    /// The JSON of a content block. The signature of reasoning would prove that it has not been changed. It is empty, because this
    /// server does not check it.
    private static func block(_ item: OutputItem, number: Int, _ head: ResponseHead) -> JSONValue {
        switch item.kind {
        case .reasoning: ["type": "thinking", "thinking": .string(item.text), "signature": ""]
        case .text: ["type": "text", "text": .string(item.text)]
        case .call(_, let name):
            [
                "type": "tool_use", "id": .string("toolu_\(head.objectID)_\(number)"), "name": .string(name),
                "input": input(item.text),
            ]
        }
    }

    /// Parses the arguments of a call. If they are not valid JSON because the token limit cut them off, their text is returned
    /// under Anthropic's name for it.
    private static func input(_ arguments: String) -> JSONValue {
        guard !arguments.isEmpty else { return [:] }
        guard let value = try? JSONValue(parsing: arguments), value.object != nil else {
            return ["INVALID_JSON": .string(arguments)]
        }
        return value
    }

    private func write(_ event: JSONValue, to output: inout [UInt8]) {
        ServerSentEvents.append(event, to: &output)
    }
}

extension APIError {
    /// The error in Anthropic's form, with this server's additional members.
    func anthropicJSON(requestID: String) -> JSONValue {
        var error = json["error"]?.object ?? [:]
        error["type"] = .string(anthropicType)
        if case .unsupportedThread = self {
            error["details"] = ["error_code": "thread_unsupported_request", "unsupported": ["thread"]]
        }
        return ["type": "error", "error": .object(error), "request_id": .string(requestID)]
    }

    private var anthropicType: String {
        switch status.code {
        case 401: "authentication_error"
        case 403: "permission_error"
        case 404: "not_found_error"
        case 413: "request_too_large"
        case 429: "rate_limit_error"
        case 503: "overloaded_error"
        case 504: "timeout_error"
        case 500...: "api_error"
        default: "invalid_request_error"
        }
    }
}

extension ServerSentEvents {
    /// Appends an event whose name is the `type` of its data.
    static func append(_ event: JSONValue, to output: inout [UInt8]) {
        output.append(contentsOf: "event: \(event["type"]?.string ?? "")\n".utf8)
        append(event.serialized, to: &output)
    }
}
