import Engine
import HTTP
import JSON

/// The common parts of chat completions and completions: everything around the text or the message of a choice.
///
/// Chunks of a stream are written directly as bytes, because this runs for every token of every stream. JSON has no line
/// breaks, so a chunk is one line of data and needs no ``ServerSentEvents``.
struct CompletionEnvelope: Sendable {
    /// The prefix of response ids.
    let idPrefix: String
    /// The `object` of a whole response.
    let object: String
    /// The `object` of a chunk.
    let chunkObject: String
    /// The common prefix of the stream's chunks, after the first one.
    private var chunkPrefix: [UInt8] = []

    init(idPrefix: String, object: String, chunkObject: String) {
        self.idPrefix = idPrefix
        self.object = object
        self.chunkObject = chunkObject
    }

    /// Returns the members before the choices.
    private func head(_ response: ResponseState, object: String) -> JSONObject {
        var head: JSONObject = [
            "id": .string(idPrefix + response.head.objectID), "object": .string(object),
            "created": .integer(response.head.created), "model": .string(response.head.model),
        ]
        if response.options.namesServiceTier { head["service_tier"] = "default" }
        head["system_fingerprint"] = JSONValue.null
        return head
    }

    // MARK: Whole

    /// Returns the whole response.
    ///
    /// - Parameters:
    ///   - extra: the members between the choices and the usage.
    ///   - choice: returns the JSON of the choice with that index.
    func body(
        of response: ResponseState, extra: JSONObject = [:], choice: (Int, ChoiceState) -> JSONObject
    ) -> JSONValue {
        var body = head(response, object: object)
        body["choices"] = .array(
            response.bestChoices.enumerated().map { .object(choice($0.offset, $0.element)) })
        for (name, value) in extra { body[name] = value }
        body["usage"] = response.usage.json
        if response.options.timings != .never { body["timings"] = response.timings.json(response.usage) }
        return .object(body)
    }

    /// Adds the last members of a choice: how it ended and, if requested, token ids.
    func finish(_ json: inout JSONObject, _ finish: Finish?, _ choice: ChoiceState, of response: ResponseState) {
        json["finish_reason"] = finish?.reason ?? .null
        json["stop_reason"] = finish?.stop ?? .null
        guard response.options.returnsTokenIDs else { return }
        json["token_ids"] = .ids(choice.tokens.map(\.id))
        json["prompt_token_ids"] = .ids(response.promptIDs[choice.prompt])
    }

    // MARK: Streamed

    /// How a choice ended, as the API reports it.
    struct Finish {
        /// `finish_reason`
        var reason: JSONValue
        /// `stop_reason`
        var stop: JSONValue
    }

    /// The properties of one chunk in addition to its text or delta.
    struct Chunk {
        /// The choice's number.
        var choice: Int
        var logprobs: JSONValue?
        var tokenIDs: [Int32]?
        var finish: Finish?
        /// Whether it is the choice's first.
        var isFirst = false

        /// Whether it has no properties.
        var isEmpty: Bool { logprobs == nil && tokenIDs == nil && finish == nil }
    }

    /// Appends one chunk about one choice.
    ///
    /// - Parameter content: appends a comma and the member with the choice's text or delta.
    mutating func write(
        _ chunk: Chunk, of response: ResponseState, to output: inout [UInt8], content: (inout [UInt8]) -> Void
    ) {
        let options = response.options
        writePrefix(response, to: &output)
        output.append(contentsOf: "{\"index\":".utf8)
        output.append(contentsOf: String(chunk.choice).utf8)
        content(&output)
        output.append(contentsOf: ",\"logprobs\":".utf8)
        (chunk.logprobs ?? .null).write(to: &output)
        output.append(contentsOf: ",\"finish_reason\":".utf8)
        (chunk.finish?.reason ?? .null).write(to: &output)
        if let finish = chunk.finish {
            output.append(contentsOf: ",\"stop_reason\":".utf8)
            finish.stop.write(to: &output)
        }
        if let ids = chunk.tokenIDs { Self.write(ids, named: "token_ids", to: &output) }
        if chunk.isFirst, options.returnsTokenIDs {
            let prompt = response.choices[chunk.choice].prompt
            Self.write(response.promptIDs[prompt], named: "prompt_token_ids", to: &output)
        }
        output.append(contentsOf: "}]".utf8)
        if options.timings == .always || options.timings == .atEnd && response.isComplete && chunk.finish != nil {
            output.append(contentsOf: ",\"timings\":".utf8)
            response.timings.json(response.usage).write(to: &output)
        }
        let tellsUsage = options.streaming?.reportsUsageContinuously == true
        writeEnd(response, usage: tellsUsage ? response.usage : nil, to: &output)
    }

    /// Appends a chunk without choices that has the progress of a prompt, in llama.cpp's form, if the update has any.
    mutating func writeProgress(_ update: ResponseUpdate, of response: ResponseState, to output: inout [UInt8]) {
        guard let progress = update.event.promptProgress else { return }
        let choice = response.choices[update.choice]
        writePrefix(response, to: &output)
        output.append(contentsOf: "],\"prompt_progress\":".utf8)
        let time = choice.admitted.map { (progress.time - $0) / .milliseconds(1) } ?? 0
        let json: JSONValue = [
            "total": .integer(response.promptIDs[choice.prompt].count), "cache": .integer(choice.cachedTokens),
            "processed": .integer(progress.tokens), "time_ms": .integer(Int(time)),
        ]
        json.write(to: &output)
        writeEnd(response, usage: nil, to: &output)
    }

    /// Appends the end of a stream, if this is the end: the usage if it was requested, and `[DONE]`.
    mutating func writeEnd(of response: ResponseState, to output: inout [UInt8]) {
        guard response.isComplete else { return }
        if response.options.streaming?.includesUsage == true {
            writePrefix(response, to: &output)
            output.append(UInt8(ascii: "]"))
            writeEnd(response, usage: response.usage, to: &output)
        }
        output.append(contentsOf: Self.done)
    }

    /// Appends an error and the end of the stream.
    func fail(_ error: APIError, to output: inout [UInt8]) {
        ServerSentEvents.append(error.json.serialized, to: &output)
        output.append(contentsOf: Self.done)
    }

    private static let done = ServerSentEvents.event("[DONE]")

    private mutating func writePrefix(_ response: ResponseState, to output: inout [UInt8]) {
        if chunkPrefix.isEmpty {
            chunkPrefix = Array("data: ".utf8)
            JSONValue.object(head(response, object: chunkObject)).write(to: &chunkPrefix)
            chunkPrefix.removeLast()
            chunkPrefix.append(contentsOf: ",\"choices\":[".utf8)
        }
        output.append(contentsOf: chunkPrefix)
    }

    private static func write(_ ids: [Int32], named name: String, to output: inout [UInt8]) {
        output.append(contentsOf: ",\"\(name)\":".utf8)
        JSONValue.ids(ids).write(to: &output)
    }

    private func writeEnd(_ response: ResponseState, usage: Usage?, to output: inout [UInt8]) {
        if let usage {
            output.append(contentsOf: ",\"usage\":".utf8)
            usage.json.write(to: &output)
        } else if response.options.streaming?.includesUsage == true {
            output.append(contentsOf: ",\"usage\":null".utf8)
        }
        output.append(contentsOf: "}\n\n".utf8)
    }
}

extension FinishReason {
    /// The `finish_reason`. Only the specification's values are used, because strict clients reject others. All other reasons are
    /// reported as errors.
    var wireName: JSONValue {
        switch self {
        case .stop: "stop"
        case .length: "length"
        case .abort, .deadlineExceeded, .unsatisfiable, .grammarLimit, .error: .null
        }
    }

    /// The `stop_reason`: the stop string or token id that ended the choice, otherwise null.
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
