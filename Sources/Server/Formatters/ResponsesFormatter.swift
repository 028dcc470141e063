import Engine
import HTTP
import JSON

/// Writes responses in the format of OpenAI's Responses API: output items, and numbered events that add, extend and finish them.
struct ResponsesFormatter: ItemizedFormatter {
    /// The request's parameters, which the response repeats: the members of an object as text. A stream repeats them three
    /// times, and they may have megabytes, so they are serialized once, off the event loop.
    private let echo: [UInt8]
    /// The tools as the client declared them.
    private let tools: ToolSet
    /// The input of the call that is being streamed, if it calls a custom tool.
    private var customInput = CustomToolInput()
    /// The number of tokens of the streamed text whose log-probabilities were sent.
    private var sentTokens = 0
    private var sequenceNumber = 0

    /// - Parameter request: the body of the request.
    init(request: JSONValue, tools: ToolSet = ToolSet()) {
        var echo: JSONObject = [
            "instructions": .null, "max_output_tokens": .null, "max_tool_calls": .null, "metadata": [:],
            "parallel_tool_calls": true, "previous_response_id": .null,
            "reasoning": ["effort": .null, "summary": .null],
            "temperature": .null, "text": ["format": ["type": "text"]], "tool_choice": "auto", "tools": [],
            "top_logprobs": 0, "top_p": .null, "truncation": "disabled", "user": .null,
        ]
        for name in Array(echo.names) {
            if let value = request[name], !value.isNull { echo[name] = value }
        }
        self.echo = Array(JSONValue.object(echo).serialized.dropFirst().dropLast())
        self.tools = tools.namesOnly
    }

    var memoryBytes: Int { echo.count }
    var repeatsOutput: Bool { true }
    var listsTextTokens: Bool { true }

    func body(of response: ResponseState) -> JSONValue {
        var json = head(response, response.items, finish: response.finish)
        let echo = try? JSONValue(parsing: [UInt8(ascii: "{")] + echo + [UInt8(ascii: "}")])
        for (name, value) in echo?.object ?? [:] { json[name] = value }
        for (name, value) in tail(response, finish: response.finish) { json[name] = value }
        return .object(json)
    }

    mutating func begin(_ response: ResponseState, to output: inout [UInt8]) {
        for type in ["response.created", "response.in_progress"] {
            write(type, head(response, [], finish: nil), tail(response, finish: nil), to: &output)
        }
    }

    mutating func open(_ number: Int, of response: ResponseState, to output: inout [UInt8]) {
        let (item, head) = (OutputItem(kind: response.items[number].kind), response.head)
        write(
            [
                "type": "response.output_item.added", "output_index": .integer(number),
                "item": json(of: item, number: number, head, status: "in_progress", isEmpty: true),
            ], to: &output)
        (customInput, sentTokens) = (CustomToolInput(), 0)
        guard item.kind != .reasoning, let part = Self.part(item, logprobs: []) else { return }
        write(["type": "response.content_part.added", "part": part], about: item, number, head, to: &output)
    }

    mutating func extend(_ number: Int, by text: String, of response: ResponseState, to output: inout [UInt8]) {
        let item = response.items[number]
        var event: JSONObject = ["type": .string(item.kind.event + ".delta"), "delta": .string(text)]
        if item.kind == .text {
            let tokens = response.tokens(of: number)
            event["logprobs"] = response.logprobs.entries(of: Array(tokens[sentTokens...]), hasBytes: false)
            sentTokens = tokens.count
        }
        if isCustom(item) {
            let input = customInput.append(text)
            guard !input.isEmpty else { return }
            (event["type"], event["delta"]) = ("response.custom_tool_call_input.delta", .string(input))
        }
        write(event, about: item, number, response.head, to: &output)
    }

    mutating func close(_ number: Int, of response: ResponseState, to output: inout [UInt8]) {
        let (item, head) = (response.items[number], response.head)
        let isCut = response.finish == .length && number == response.items.count - 1
        var event: JSONObject = ["type": .string(item.kind.event + ".done")]
        switch item.kind {
        case .call where isCustom(item):
            event["type"] = "response.custom_tool_call_input.done"
            event["input"] = .string(CustomToolInput.text(of: item.text))
        case .call(_, let name):
            var shown = JSONObject()
            describe(item, name, &shown, callID: "")
            (event["name"], event["arguments"]) = (shown["name"], .string(item.text))
        case .reasoning: event["text"] = .string(item.text)
        case .text:
            event["text"] = .string(item.text)
            event["logprobs"] = response.logprobs.entries(of: response.tokens(of: number), hasBytes: false)
        }
        write(event, about: item, number, head, to: &output)
        let logprobs = response.logprobs.entries(of: response.tokens(of: number))
        if item.kind == .text, let part = Self.part(item, logprobs: logprobs) {
            write(["type": "response.content_part.done", "part": part], about: item, number, head, to: &output)
        }
        write(
            [
                "type": "response.output_item.done", "output_index": .integer(number),
                "item": json(
                    of: item, number: number, head, status: isCut ? "incomplete" : "completed", logprobs: logprobs),
            ], to: &output)
    }

    mutating func end(_ response: ResponseState, _ finish: FinishReason, to output: inout [UInt8]) {
        let type = finish == .length ? "response.incomplete" : "response.completed"
        write(
            type, head(response, response.items, finish: finish), tail(response, finish: finish), to: &output)
    }

    mutating func fail(_ error: APIError, _ response: ResponseState, to output: inout [UInt8]) {
        var head = head(response, response.items, finish: nil)
        head["status"] = "failed"
        head["error"] = ["code": "server_error", "message": .string(error.message)]
        write("response.failed", head, tail(response, finish: nil), to: &output)
    }
}

extension ResponsesFormatter {
    /// The members of a response before the request's parameters.
    ///
    /// - Parameter finish: how the response ended; `nil` if it is in progress or has failed.
    private func head(_ state: ResponseState, _ items: [OutputItem], finish: FinishReason?) -> JSONObject {
        let head = state.head
        let isCut = finish == .length
        var members: JSONObject = [
            "id": .string("resp_\(head.objectID)"), "object": "response", "created_at": .integer(head.created),
            "status": .string(finish == nil ? "in_progress" : isCut ? "incomplete" : "completed"),
            "background": false, "error": .null,
            "incomplete_details": isCut ? ["reason": "max_output_tokens"] : .null, "model": .string(head.model),
        ]
        members["output"] = .array(
            items.enumerated().map { number, item in
                let status = isCut && number == items.count - 1 ? "incomplete" : "completed"
                return json(
                    of: item, number: number, head, status: status,
                    logprobs: state.logprobs.entries(of: state.tokens(of: number)))
            })
        return members
    }

    /// The members of a response after the request's parameters.
    ///
    /// - Parameter finish: how the response ended; `nil` if it is in progress or has failed, so that its usage is not known.
    private func tail(_ response: ResponseState, finish: FinishReason?) -> JSONObject {
        var tail: JSONObject = ["service_tier": "default", "store": false, "usage": .null]
        guard finish != nil else { return tail }
        let usage = response.usage
        tail["usage"] = [
            "input_tokens": .integer(usage.promptTokens),
            "input_tokens_details": ["cached_tokens": .integer(usage.cachedTokens)],
            "output_tokens": .integer(usage.completionTokens),
            "output_tokens_details": ["reasoning_tokens": .integer(usage.reasoningTokens)],
            "total_tokens": .integer(usage.promptTokens + usage.completionTokens),
        ]
        return tail
    }

    private static func id(_ item: OutputItem, number: Int, _ head: ResponseHead) -> JSONValue {
        .string("\(item.kind.idPrefix)_\(head.objectID)_\(number)")
    }

    /// - Parameters:
    ///   - isEmpty: whether the content is omitted, because it has not been generated.
    ///   - logprobs: the log-probabilities of a text.
    private func json(
        of item: OutputItem, number: Int, _ head: ResponseHead, status: String, isEmpty: Bool = false,
        logprobs: JSONValue = []
    ) -> JSONValue {
        var json: JSONObject = ["id": Self.id(item, number: number, head), "status": .string(status)]
        let content: JSONValue = isEmpty ? [] : .array([Self.part(item, logprobs: logprobs)].compactMap(\.self))
        switch item.kind {
        case .reasoning:
            json["type"] = "reasoning"
            json["summary"] = []
            json["content"] = content
        case .text:
            json["type"] = "message"
            json["role"] = "assistant"
            json["content"] = content
        case .call(_, let name): describe(item, name, &json, callID: "call_\(head.objectID)_\(number)")
        }
        return .object(json)
    }

    /// Adds the members of a call, in the form in which the client declared the tool.
    private func describe(_ item: OutputItem, _ name: String, _ json: inout JSONObject, callID: String) {
        json["type"] = "function_call"
        json["call_id"] = .string(callID)
        json["name"] = .string(name)
        switch tools.origin(of: name) {
        case .custom:
            json["type"] = "custom_tool_call"
            json["input"] = .string(CustomToolInput.text(of: item.text))
        case .member(let namespace, let member):
            json["name"] = .string(member)
            json["namespace"] = .string(namespace)
            json["arguments"] = .string(item.text)
        case .function: json["arguments"] = .string(item.text)
        }
    }

    /// Whether the item is a call of a custom tool.
    private func isCustom(_ item: OutputItem) -> Bool {
        guard case .call(_, let name) = item.kind else { return false }
        return tools.origin(of: name) == .custom
    }

    /// The content part of an item; `nil` for a call.
    private static func part(_ item: OutputItem, logprobs: JSONValue) -> JSONValue? {
        switch item.kind {
        case .reasoning: ["type": "reasoning_text", "text": .string(item.text)]
        case .text: ["type": "output_text", "text": .string(item.text), "annotations": [], "logprobs": logprobs]
        case .call: nil
        }
    }

    private mutating func write(
        _ event: JSONObject, about item: OutputItem, _ number: Int, _ head: ResponseHead, to output: inout [UInt8]
    ) {
        var event = event
        event["item_id"] = Self.id(item, number: number, head)
        event["output_index"] = .integer(number)
        switch item.kind {
        case .text, .reasoning: event["content_index"] = 0
        case .call: break
        }
        write(event, to: &output)
    }

    /// Writes an event with the whole response.
    private mutating func write(_ type: String, _ head: JSONObject, _ tail: JSONObject, to output: inout [UInt8]) {
        var data = Array("{\"type\":\"\(type)\",\"response\":".utf8)
        data += JSONValue.object(head).serialized.dropLast()
        data.append(UInt8(ascii: ","))
        data += echo
        data.append(UInt8(ascii: ","))
        data += JSONValue.object(tail).serialized.dropFirst()
        data += ",\"sequence_number\":\(sequenceNumber)}".utf8
        sequenceNumber += 1
        output += "event: \(type)\n".utf8
        ServerSentEvents.append(data, to: &output)
    }

    private mutating func write(_ event: JSONObject, to output: inout [UInt8]) {
        var event = event
        event["sequence_number"] = .integer(sequenceNumber)
        sequenceNumber += 1
        ServerSentEvents.append(.object(event), to: &output)
    }
}

extension OutputItem.Kind {
    fileprivate var idPrefix: String {
        switch self {
        case .reasoning: "rs"
        case .text: "msg"
        case .call: "fc"
        }
    }

    /// The prefix of the types of events about its content.
    fileprivate var event: String {
        switch self {
        case .reasoning: "response.reasoning_text"
        case .text: "response.output_text"
        case .call: "response.function_call_arguments"
        }
    }
}
