import Engine
import Text

extension CompletionStream {
    /// The whole reply, once ``isFinished`` without ``failure``.
    var body: JSONValue {
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
        switch endpoint {
        case .completions: json["text"] = .string(echoedText(of: choice) + choice.text)
        case .chat: json["message"] = ["role": "assistant", "content": .string(choice.text), "refusal": nil]
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
        json["finish_reason"] = choice.finish?.wireName ?? JSONValue.null
        json["stop_reason"] = choice.finish?.stopReason ?? JSONValue.null
        if options.returnsTokenIDs {
            json["token_ids"] = .ids(choice.tokens.map(\.id))
            json["prompt_token_ids"] = .ids(promptIDs[choice.prompt])
        }
        return .object(json)
    }
}

extension FinishReason {
    /// `finish_reason`: the specification's words only, since strict clients fail on others; what is neither is an
    /// error and no finished choice.
    var wireName: JSONValue {
        switch self {
        case .stop: "stop"
        case .length: "length"
        case .abort, .deadlineExceeded, .error: .null
        }
    }

    /// `stop_reason`: the string or the id that ended the choice; null for the model's own end.
    var stopReason: JSONValue {
        switch self {
        case .stop(.string(let string)): .string(string)
        case .stop(.token(let id)): .integer(Int(id))
        case .stop(.endOfSequence), .length, .abort, .deadlineExceeded, .error: .null
        }
    }
}

extension JSONValue {
    static func ids(_ ids: [Int32]) -> JSONValue {
        .array(ids.map { .integer(Int($0)) })
    }
}
