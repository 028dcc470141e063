import Engine
import JSON

extension ResponseStream {
    /// The whole reply, once ``isFinished`` without ``failure``.
    var body: JSONValue {
        if let itemizedBody { return itemizedBody }
        var body: JSONObject = [
            "id": .string(id), "object": .string(endpoint.object), "created": .integer(created),
            "model": .string(model),
        ]
        if options.namesServiceTier { body["service_tier"] = "default" }
        body["system_fingerprint"] = JSONValue.null
        body["choices"] = .array(replied.enumerated().map(choiceJSON))
        if endpoint == .chat, let top = options.promptLogprobs, let first = replied.first {
            body["prompt_logprobs"] = logprobs.promptJSON(of: promptTokens(of: first, top: top), top: top)
        }
        body["usage"] = usage.json
        if options.timings != .never { body["timings"] = timings.json(usage) }
        return .object(body)
    }

    /// The choices of the reply: of each prompt's candidates the likeliest, of equals the first.
    private var replied: [CompletionChoice] {
        guard options.candidates > options.choices else { return choices }
        return stride(from: 0, to: choices.count, by: options.candidates).flatMap { first in
            let candidates = choices[first..<first + options.candidates].enumerated().sorted {
                ($1.element.meanLogprob, $0.offset) < ($0.element.meanLogprob, $1.offset)
            }
            return candidates.prefix(options.choices).map(\.element)
        }
    }

    private func choiceJSON(_ index: Int, _ choice: CompletionChoice) -> JSONValue {
        var json: JSONObject = ["index": .integer(index)]
        if endpoint.isChat {
            json["message"] = .object(message(choice, index: index))
        } else {
            json["text"] = .string(echoedText(of: choice) + choice.text)
        }
        var position = TextPosition()
        json["logprobs"] =
            options.logprobs == nil
            ? JSONValue.null
            : logprobs.json(
                of: echoedTokens(of: choice) + choice.tokens.map(\.scored), endpoint: endpoint, position: &position)
        if endpoint == .completions, let top = options.promptLogprobs {
            json["prompt_logprobs"] = logprobs.promptJSON(of: promptTokens(of: choice, top: top), top: top)
        }
        json["finish_reason"] = choice.finish.map { finishName(of: choice, $0) } ?? JSONValue.null
        json["stop_reason"] = choice.finish.map { stopReason($0) } ?? JSONValue.null
        if options.returnsTokenIDs {
            json["token_ids"] = .ids(choice.tokens.map(\.id))
            json["prompt_token_ids"] = .ids(promptIDs[choice.prompt])
        }
        return .object(json)
    }

    /// Calls are no content; it is "" and not null even without any, for chat templates that print it in the next turn.
    private func message(_ choice: CompletionChoice, index: Int) -> JSONObject {
        guard reply != nil else {
            return ["role": "assistant", "content": .string(choice.text), "refusal": JSONValue.null]
        }
        let parts = choice.parts
        var message: JSONObject = ["role": "assistant", "content": .string(parts.content), "refusal": JSONValue.null]
        if !parts.reasoning.isEmpty { message.setReasoning(parts.reasoning) }
        if !parts.calls.isEmpty {
            message["tool_calls"] = .array(
                parts.calls.map { .object(call($0, name: $0.name ?? "", choice: index)) })
        }
        return message
    }

    /// `finish_reason`: a reply that calls tools of its own accord has stopped for their results.
    func finishName(of choice: CompletionChoice, _ finish: FinishReason) -> JSONValue {
        if case .stop = finish, choice.hasCalls, reply?.isCallByName == false { return "tool_calls" }
        return finish.wireName
    }

    /// `stop_reason`; the token that ends a call is none of the request's.
    func stopReason(_ finish: FinishReason) -> JSONValue {
        if case .stop(.token(let id)) = finish, id == reply?.callEnd { return .null }
        return finish.stopReason
    }
}

extension JSONObject {
    /// vLLM and others call it by different names, and clients look for either.
    fileprivate mutating func set(_ text: String, _ names: [String]) {
        for name in names { self[name] = .string(text) }
    }

    mutating func setReasoning(_ text: String) { set(text, ["reasoning", "reasoning_content"]) }
}

extension FinishReason {
    /// `finish_reason`: the specification's words only, since strict clients fail on others; what is neither is an
    /// error and no finished choice.
    var wireName: JSONValue {
        switch self {
        case .stop: "stop"
        case .length: "length"
        case .abort, .deadlineExceeded, .unsatisfiable, .grammarLimit, .error: .null
        }
    }

    /// `stop_reason`: the string or the id that ended the choice; null for the model's own end.
    var stopReason: JSONValue {
        switch self {
        case .stop(.string(let string)): .string(string)
        case .stop(.token(let id)): .integer(Int(id))
        case .stop(.endOfSequence), .length, .abort, .deadlineExceeded, .unsatisfiable, .grammarLimit, .error: .null
        }
    }
}

extension JSONValue {
    /// Token ids, which take no more memory as a value than they do already.
    static func ids(_ ids: [Int32]) -> JSONValue {
        .array(JSONArray(count: ids.count) { .integer(Int(ids[$0])) })
    }
}
