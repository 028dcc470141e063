import Engine
import JSON
import Scheduling
import Testing

@testable import Server

/// Samples for tests of streams: requests, events and tokens.
protocol StreamSamples {}

extension StreamSamples {
    /// A stream of request 7 at time 5 whose sequences start at 100; `body` lacks the prompt.
    func makeStream(
        _ endpoint: Endpoint, _ body: JSONObject, prompts: [[Int32]] = [[7, 8, 9]], names: TokenNames = .idsOnly,
        promptTexts: [String] = [], parsing: OutputParserConfiguration? = nil, arrival: ContinuousClock.Instant = .now
    ) throws -> ResponseStream {
        var object = body
        let options: GenerationOptions
        let formatter: any ResponseFormatter
        switch endpoint {
        case .completions:
            object["prompt"] = [1]
            options = try CompletionRequest(.object(object), for: .sample).options
            formatter = CompletionFormatter()
        case .chat:
            object["messages"] = [["role": "user", "content": "x"]]
            let request = try ChatCompletionRequest(.object(object), for: .sample)
            options = request.options
            formatter = ChatFormatter(tools: request.toolSet)
        case .messages:
            object["messages"] = [["role": "user", "content": "x"]]
            object["max_tokens"] = 8
            let translation = try MessagesRequest.translate(.object(object), for: .sample)
            options = try ChatCompletionRequest(translation, for: .sample).options
            formatter = translation.formatter
        case .embeddings:
            object["input"] = [1]
            let request = try EmbeddingRequest(.object(object), for: .sample)
            options = request.options
            formatter = EmbeddingFormatter(encoding: request.encoding)
        case .responses:
            object["input"] = "x"
            let translation = try ResponsesRequest.translate(.object(object), for: .sample)
            options = try ChatCompletionRequest(translation, for: .sample).options
            formatter = translation.formatter
        }
        let prepared = RequestPreparation.Prepared(
            options: options, promptIDs: prompts, formatter: formatter, parsing: parsing, promptTexts: promptTexts)
        return ResponseStream(
            prepared, ResponseHead(requestID: "7", objectID: "7", created: 5, model: "tiny"),
            firstSequence: SequenceID(100),
            names: names, arrival: arrival)
    }

    func makeStream(
        _ endpoint: Endpoint, json: String, prompts: [[Int32]] = [[7, 8, 9]], names: TokenNames = .idsOnly
    ) throws -> ResponseStream {
        try makeStream(endpoint, JSONValue(parsing: json).object ?? [:], prompts: prompts, names: names)
    }

    func event(
        _ index: Int, _ text: String = "", tokens: [GeneratedToken] = [], finish: FinishReason? = nil
    ) -> TokenEvent {
        var event = TokenEvent(sequence: SequenceID(100 + UInt64(index)))
        event.text = text
        event.tokens = tokens
        event.finish = finish
        return event
    }

    func event(_ index: Int, _ text: String = "", ids: [Int32], finish: FinishReason? = nil) -> TokenEvent {
        event(index, text, tokens: ids.map { GeneratedToken(id: $0, logprobs: nil, time: .now) }, finish: finish)
    }

    func token(_ id: Int32, _ logprob: Float, top: [(Int32, Float)]) -> GeneratedToken {
        let top = top.map { TokenLogprob(id: $0.0, logprob: $0.1) }
        return GeneratedToken(id: id, logprobs: TokenLogprobs(logprob: logprob, rank: 1, top: top), time: .now)
    }

    func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    /// The JSON of each event, whose name is its `type`.
    func namedEvents(_ bytes: [UInt8]) throws -> [JSONValue] {
        try text(bytes).split(separator: "\n\n").map { event in
            let lines = event.split(separator: "\n", omittingEmptySubsequences: false)
            try #require(lines.count == 2 && lines[1].hasPrefix("data: "))
            let data = try JSONValue(parsing: String(lines[1].dropFirst(6)))
            #expect(lines[0] == "event: \(data["type"]?.string ?? "")")
            return data
        }
    }

    /// The JSON of each event except `[DONE]`; each is one line of data and an empty line.
    func chunks(_ bytes: [UInt8]) throws -> [JSONValue] {
        try text(bytes).split(separator: "\n\n").filter { $0 != "data: [DONE]" }.map { event in
            try #require(event.hasPrefix("data: ") && !event.contains("\n"))
            return try JSONValue(parsing: String(event.dropFirst(6)))
        }
    }
}

extension TokenNames {
    /// Ids 0..<26 are letters.
    static let letters = TokenNames { [0x61 + UInt8($0)] }
}
