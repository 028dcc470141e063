import Engine
import JSON

/// Writes responses as OpenAI's completions: text, after the prompt if the request asks for it (`echo`).
struct CompletionFormatter: ResponseFormatter {
    private var envelope = CompletionEnvelope(
        idPrefix: "cmpl-", object: "text_completion", chunkObject: "text_completion")
    /// The position in the text of the next streamed token, for each choice that has had a chunk.
    private var positions: [Int: TextPosition] = [:]

    func body(of response: ResponseState) -> JSONValue {
        envelope.body(of: response) { index, choice in
            var json: JSONObject = [
                "index": .integer(index),
                "text": .string(Self.echoedText(of: choice, response) + choice.output.content),
            ]
            var position = TextPosition()
            let tokens = Self.echoedTokens(of: choice, response) + choice.tokens.map(\.scored)
            json["logprobs"] =
                response.options.logprobs == nil
                ? .null : response.logprobs.completionJSON(of: tokens, position: &position)
            if let top = response.options.promptLogprobs {
                json["prompt_logprobs"] = response.logprobs.promptJSON(
                    of: response.promptTokens(of: choice, top: top), top: top)
            }
            envelope.finish(&json, choice.finish.map(Self.finish), choice, of: response)
            return json
        }
    }

    mutating func write(_ update: ResponseUpdate, of response: ResponseState, to output: inout [UInt8]) {
        envelope.writeProgress(update, of: response, to: &output)
        if update.event.hasOutput { writeChunk(update, of: response, to: &output) }
        envelope.writeEnd(of: response, to: &output)
    }

    func fail(_ error: APIError, _ response: ResponseState, to output: inout [UInt8]) {
        envelope.fail(error, to: &output)
    }

    private mutating func writeChunk(_ update: ResponseUpdate, of response: ResponseState, to output: inout [UInt8]) {
        let (event, choice) = (update.event, response.choices[update.choice])
        var chunk = CompletionEnvelope.Chunk(choice: update.choice)
        let finish = event.finish.map(Self.finish)
        chunk.isFirst = positions[update.choice] == nil
        let text = (chunk.isFirst ? Self.echoedText(of: choice, response) : "") + event.text
        let tokens = (chunk.isFirst ? Self.echoedTokens(of: choice, response) : []) + event.tokens.map(\.scored)
        var position = positions[update.choice] ?? TextPosition()
        if !tokens.isEmpty, response.options.logprobs != nil {
            chunk.logprobs = response.logprobs.completionJSON(of: tokens, position: &position)
        }
        if !event.tokens.isEmpty, response.options.returnsTokenIDs { chunk.tokenIDs = event.tokens.map(\.id) }
        // As in OpenAI's API, the chunk with the finish reason has no text.
        if text.isEmpty { chunk.finish = finish }
        guard !text.isEmpty || !chunk.isEmpty else { return }
        positions[update.choice] = position
        write(text, chunk, of: response, to: &output)
        guard !text.isEmpty, let finish else { return }
        write("", CompletionEnvelope.Chunk(choice: update.choice, finish: finish), of: response, to: &output)
    }

    private mutating func write(
        _ text: String, _ chunk: CompletionEnvelope.Chunk, of response: ResponseState, to output: inout [UInt8]
    ) {
        envelope.write(chunk, of: response, to: &output) { output in
            output.append(contentsOf: ",\"text\":".utf8)
            JSONValue.writeString(text, to: &output)
        }
    }

    private static func finish(_ finish: FinishReason) -> CompletionEnvelope.Finish {
        CompletionEnvelope.Finish(reason: finish.wireName, stop: finish.stopReason)
    }

    /// The prompt that a choice's text begins with; empty unless requested.
    private static func echoedText(of choice: ChoiceState, _ response: ResponseState) -> String {
        response.options.echoesPrompt ? response.promptTexts[choice.prompt] : ""
    }

    /// The prompt's tokens, if the choice's log-probabilities begin with them; otherwise empty.
    private static func echoedTokens(of choice: ChoiceState, _ response: ResponseState) -> [ScoredToken] {
        guard response.options.echoesPrompt, let top = response.options.logprobs else { return [] }
        return response.promptTokens(of: choice, top: top)
    }
}
