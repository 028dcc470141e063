import Engine
import JSON

/// Writes responses as OpenAI's chat completions: messages with content, reasoning and tool calls.
struct ChatFormatter: ResponseFormatter {
    private var envelope = CompletionEnvelope(
        idPrefix: "chatcmpl-", object: "chat.completion", chunkObject: "chat.completion.chunk")
    /// Whether calls are written as `function_call`, the older form.
    private let callsFunctions: Bool

    /// - Parameter tools: the tools as the client declared them.
    init(tools: ToolSet = ToolSet()) {
        callsFunctions = tools.areFunctions
    }

    func body(of response: ResponseState) -> JSONValue {
        var extra = JSONObject()
        if let top = response.options.promptLogprobs, let first = response.bestChoices.first {
            extra["prompt_logprobs"] = response.logprobs.promptJSON(
                of: response.promptTokens(of: first, top: top), top: top)
        }
        return envelope.body(of: response, extra: extra) { index, choice in
            var json: JSONObject = [
                "index": .integer(index), "message": .object(message(choice, index: index, response.head)),
            ]
            json["logprobs"] =
                response.options.logprobs == nil
                ? .null : response.logprobs.chatJSON(of: choice.tokens.map(\.scored))
            envelope.finish(&json, finish(of: choice, response.parsing), choice, of: response)
            return json
        }
    }

    mutating func write(_ update: ResponseUpdate, of response: ResponseState, to output: inout [UInt8]) {
        envelope.writeProgress(update, of: response, to: &output)
        if update.event.hasOutput { writeChunks(update, of: response, to: &output) }
        envelope.writeEnd(of: response, to: &output)
    }

    func fail(_ error: APIError, _ response: ResponseState, to output: inout [UInt8]) {
        envelope.fail(error, to: &output)
    }

    /// Returns the message of a choice. Its content is "" instead of null if there is none, for chat templates that print it in
    /// the next turn.
    private func message(_ choice: ChoiceState, index: Int, _ head: ResponseHead) -> JSONObject {
        var message: JSONObject = [
            "role": "assistant", "content": .string(choice.output.content), "refusal": JSONValue.null,
        ]
        let reasoning = choice.output.reasoning
        if !reasoning.isEmpty { message.setReasoning(reasoning) }
        let calls = choice.output.items.compactMap { item -> JSONValue? in
            guard case .call(let number, let name) = item.kind else { return nil }
            return .object(Self.call(number, name: name, arguments: item.text, choice: index, head))
        }
        if callsFunctions {
            message["function_call"] = calls.first?["function"]
        } else if !calls.isEmpty {
            message["tool_calls"] = .array(calls)
        }
        return message
    }

    /// Returns the JSON of a call, with its id and name.
    private static func call(
        _ number: Int, name: String, arguments: String, choice: Int, _ head: ResponseHead
    ) -> JSONObject {
        [
            "id": .string("call_\(head.objectID)_\(choice)_\(number)"), "type": "function",
            "function": ["name": .string(name), "arguments": .string(arguments)],
        ]
    }

    /// Returns how a choice ended. With tool calls, the finish reason is `tool_calls` or `function_call`, unless the request names
    /// the tool. The stop reason does not report the token that ends a call, because the request did not ask to stop there.
    private func finish(
        of choice: ChoiceState, _ parsing: OutputParserConfiguration?
    ) -> CompletionEnvelope.Finish? {
        guard let reason = choice.finish else { return nil }
        var finish = CompletionEnvelope.Finish(reason: reason.wireName, stop: reason.stopReason)
        if case .stop = reason, choice.hasCalls, parsing?.isCallByName == false {
            finish.reason = callsFunctions ? "function_call" : "tool_calls"
        }
        if case .stop(.token(let id)) = reason, id == parsing?.callEnd { finish.stop = .null }
        return finish
    }
}

extension ChatFormatter {
    /// What a chunk adds to the message.
    private enum Delta {
        case role
        case reasoning(String)
        case content(String)
        /// The beginning of a call, with the arguments that arrived with its name.
        case call(number: Int, name: String, arguments: String)
        case arguments(number: Int, String)
        case nothing
    }

    /// Appends the chunks of an update: the role when a choice begins, then one for each delta. The chunk of the first delta has
    /// the log-probabilities and token ids of the whole event. The finish reason has a chunk with an empty delta, as in OpenAI's
    /// API.
    private mutating func writeChunks(_ update: ResponseUpdate, of response: ResponseState, to output: inout [UInt8]) {
        let (event, choice) = (update.event, response.choices[update.choice])
        if update.isFirst {
            write(.role, .init(choice: update.choice, isFirst: true), of: response, to: &output)
        }
        var chunk = CompletionEnvelope.Chunk(choice: update.choice)
        if !event.tokens.isEmpty, response.options.logprobs != nil {
            chunk.logprobs = response.logprobs.chatJSON(of: event.tokens.map(\.scored))
        }
        if !event.tokens.isEmpty, response.options.returnsTokenIDs { chunk.tokenIDs = event.tokens.map(\.id) }
        let finish = event.finish == nil ? nil : finish(of: choice, response.parsing)
        for delta in Self.deltas(update.changes, choice.output.items) {
            write(delta, chunk, of: response, to: &output)
            chunk = CompletionEnvelope.Chunk(choice: update.choice)
        }
        chunk.finish = finish
        if !chunk.isEmpty { write(.nothing, chunk, of: response, to: &output) }
    }

    private static func deltas(_ changes: [OutputChange], _ items: [OutputItem]) -> [Delta] {
        var deltas: [Delta] = []
        for change in changes {
            switch change {
            case .opens(let item):
                guard case .call(let number, let name) = items[item].kind else { continue }
                deltas.append(.call(number: number, name: name, arguments: ""))
            case .extends(let item, let text):
                switch items[item].kind {
                case .reasoning: deltas.append(.reasoning(text))
                case .text: deltas.append(.content(text))
                case .call(let number, let name):
                    if case .call(number, _, _) = deltas.last {
                        deltas[deltas.count - 1] = .call(number: number, name: name, arguments: text)
                    } else {
                        deltas.append(.arguments(number: number, text))
                    }
                }
            case .closes: continue
            }
        }
        return deltas
    }

    private mutating func write(
        _ delta: Delta, _ chunk: CompletionEnvelope.Chunk, of response: ResponseState, to output: inout [UInt8]
    ) {
        envelope.write(chunk, of: response, to: &output) { output in
            output.append(contentsOf: ",\"delta\":".utf8)
            switch delta {
            case .role: output.append(contentsOf: #"{"role":"assistant","content":""}"#.utf8)
            case .content(let text):
                output.append(contentsOf: "{\"content\":".utf8)
                JSONValue.writeString(text, to: &output)
                output.append(UInt8(ascii: "}"))
            case .reasoning(let text):
                var json = JSONObject()
                json.setReasoning(text)
                JSONValue.object(json).write(to: &output)
            case .call(_, let name, let arguments) where callsFunctions:
                let call: JSONValue = ["name": .string(name), "arguments": .string(arguments)]
                JSONValue.object(["function_call": call]).write(to: &output)
            case .arguments(_, let text) where callsFunctions:
                JSONValue.object(["function_call": ["arguments": .string(text)]]).write(to: &output)
            case .call(let number, let name, let arguments):
                var call = Self.call(
                    number, name: name, arguments: arguments, choice: chunk.choice, response.head)
                call["index"] = .integer(number)
                JSONValue.object(["tool_calls": [.object(call)]]).write(to: &output)
            case .arguments(let number, let text):
                let call: JSONValue = ["index": .integer(number), "function": ["arguments": .string(text)]]
                JSONValue.object(["tool_calls": [call]]).write(to: &output)
            case .nothing: output.append(contentsOf: "{}".utf8)
            }
        }
    }
}

extension JSONObject {
    /// Sets the reasoning under both names that are in use, because clients look for either.
    fileprivate mutating func setReasoning(_ text: String) {
        for name in ["reasoning", "reasoning_content"] { self[name] = .string(text) }
    }
}
