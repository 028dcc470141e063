import Engine
import HTTP
import JSON

/// What one chunk says about its choice.
struct ChunkContent {
    var role: String?
    var text: String?
    /// Of a chat whose reply is told apart, in place of the text.
    var parts: ReplyParts?
    var logprobs: JSONValue?
    var tokenIDs: [Int32]?
    var finish: FinishReason?

    /// Whether the chunk would say nothing.
    var isEmpty: Bool {
        role == nil && text == nil && parts == nil && logprobs == nil && tokenIDs == nil && finish == nil
    }
}

/// Server-sent events of a stream, written straight into bytes: this runs for every token of every stream. JSON has no line
/// breaks, so a chunk is one line of data and needs no ``ServerSentEvents``.
extension ResponseStream {
    static let done = ServerSentEvents.event("[DONE]")

    /// Everything that stands before the choices: the same in all chunks of a stream.
    static func chunkPrefix(
        endpoint: Endpoint, id: String, created: Int, model: String, namesServiceTier: Bool
    ) -> [UInt8] {
        var head: JSONObject = [
            "id": .string(id), "object": .string(endpoint.chunkObject), "created": .integer(created),
            "model": .string(model),
        ]
        if namesServiceTier { head["service_tier"] = "default" }
        head["system_fingerprint"] = JSONValue.null
        var prefix = Array("data: ".utf8)
        JSONValue.object(head).write(to: &prefix)
        prefix.removeLast()
        prefix.append(contentsOf: ",\"choices\":[".utf8)
        return prefix
    }

    /// Appends one chunk about one choice.
    func writeChunk(_ content: ChunkContent, choice index: Int, isFirst: Bool, to output: inout [UInt8]) {
        output.append(contentsOf: chunkPrefix)
        output.append(contentsOf: "{\"index\":".utf8)
        output.append(contentsOf: String(index).utf8)
        if !endpoint.isChat {
            output.append(contentsOf: ",\"text\":".utf8)
            JSONValue.writeString(content.text ?? "", to: &output)
        } else {
            output.append(contentsOf: ",\"delta\":".utf8)
            if let parts = content.parts {
                JSONValue.object(delta(parts, choice: index)).write(to: &output)
            } else {
                writeDelta(content, to: &output)
            }
        }
        output.append(contentsOf: ",\"logprobs\":".utf8)
        (content.logprobs ?? .null).write(to: &output)
        output.append(contentsOf: ",\"finish_reason\":".utf8)
        (content.finish.map { finishName(of: choices[index], $0) } ?? .null).write(to: &output)
        if let finish = content.finish {
            output.append(contentsOf: ",\"stop_reason\":".utf8)
            stopReason(finish).write(to: &output)
        }
        if let ids = content.tokenIDs { writeIDs(ids, named: "token_ids", to: &output) }
        if isFirst, options.returnsTokenIDs {
            writeIDs(promptIDs[choices[index].prompt], named: "prompt_token_ids", to: &output)
        }
        output.append(contentsOf: "}]".utf8)
        if options.timings == .always || options.timings == .atEnd && isFinished && content.finish != nil {
            output.append(contentsOf: ",\"timings\":".utf8)
            timings.json(usage).write(to: &output)
        }
        writeChunkEnd(usage: options.streaming?.reportsUsageContinuously == true ? usage : nil, to: &output)
    }

    /// Appends the chunk with no choices that tells how far a prompt is computed, in llama.cpp's form.
    func writeProgress(
        _ progress: (tokens: Int, time: ContinuousClock.Instant), choice index: Int, to output: inout [UInt8]
    ) {
        let choice = choices[index]
        output.append(contentsOf: chunkPrefix)
        output.append(contentsOf: "],\"prompt_progress\":".utf8)
        let time = choice.admitted.map { (progress.time - $0) / .milliseconds(1) } ?? 0
        let json: JSONValue = [
            "total": .integer(promptIDs[choice.prompt].count), "cache": .integer(choice.cachedTokens),
            "processed": .integer(progress.tokens), "time_ms": .integer(Int(time)),
        ]
        json.write(to: &output)
        writeChunkEnd(usage: nil, to: &output)
    }

    /// Appends the chunk with no choices that tells the usage of the whole request.
    func writeUsageChunk(to output: inout [UInt8]) {
        output.append(contentsOf: chunkPrefix)
        output.append(UInt8(ascii: "]"))
        writeChunkEnd(usage: usage, to: &output)
    }

    private func delta(_ parts: ReplyParts, choice: Int) -> JSONObject {
        var delta = JSONObject()
        if !parts.reasoning.isEmpty { delta.setReasoning(parts.reasoning) }
        if !parts.content.isEmpty { delta["content"] = .string(parts.content) }
        guard !parts.calls.isEmpty else { return delta }
        delta["tool_calls"] = .array(
            parts.calls.map { call in
                guard let name = call.name else {
                    return ["index": .integer(call.index), "function": ["arguments": .string(call.arguments)]]
                }
                var json = self.call(call, name: name, choice: choice)
                json["index"] = .integer(call.index)
                return .object(json)
            })
        return delta
    }

    /// A call from its beginning.
    func call(_ call: ReplyParts.Call, name: String, choice: Int) -> JSONObject {
        [
            "id": .string("call_\(id.dropFirst(endpoint.idPrefix.count))_\(choice)_\(call.index)"), "type": "function",
            "function": ["name": .string(name), "arguments": .string(call.arguments)],
        ]
    }

    private func writeDelta(_ content: ChunkContent, to output: inout [UInt8]) {
        output.append(UInt8(ascii: "{"))
        if let role = content.role {
            output.append(contentsOf: "\"role\":".utf8)
            JSONValue.writeString(role, to: &output)
        }
        if let text = content.text {
            output.append(contentsOf: (content.role == nil ? "\"content\":" : ",\"content\":").utf8)
            JSONValue.writeString(text, to: &output)
        }
        output.append(UInt8(ascii: "}"))
    }

    private func writeIDs(_ ids: [Int32], named name: String, to output: inout [UInt8]) {
        output.append(contentsOf: ",\"\(name)\":".utf8)
        JSONValue.ids(ids).write(to: &output)
    }

    private func writeChunkEnd(usage: Usage?, to output: inout [UInt8]) {
        if let usage {
            output.append(contentsOf: ",\"usage\":".utf8)
            usage.json.write(to: &output)
        } else if options.streaming?.includesUsage == true {
            output.append(contentsOf: ",\"usage\":null".utf8)
        }
        output.append(contentsOf: "}\n\n".utf8)
    }
}
