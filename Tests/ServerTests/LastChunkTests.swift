import JSON
import Testing

@testable import Server

/// The end of streams of chat completions and completions, as in OpenAI's API.
@Suite struct LastChunkTests: StreamSamples {
    @Test(arguments: [Endpoint.completions, .chat], [false, true])
    func `the chunk with the finish reason has no text`(endpoint: Endpoint, includesUsage: Bool) throws {
        var fields: JSONObject = ["stream": true, "return_token_ids": true]
        if includesUsage { fields["stream_options"] = ["include_usage": true] }
        var stream = try makeStream(endpoint, fields)
        let bytes = stream.receive(event(0, "ab", ids: [1, 2], finish: .length))
        #expect(text(bytes).hasSuffix("data: [DONE]\n\n"))
        var received = try chunks(bytes)
        if includesUsage { #expect(received.removeLast()["choices"] == []) }
        var choices = received.compactMap { $0["choices"]?.array?.first }
        if endpoint == .chat { #expect(choices.removeFirst()["delta"]?["role"] == "assistant") }
        #expect(choices.map { $0["finish_reason"] } == [.null, "length"])
        #expect(choices.map { $0["token_ids"] } == [[1, 2], nil])
        if endpoint == .chat {
            #expect(choices.map { $0["delta"] } == [["content": "ab"], [:]])
        } else {
            #expect(choices.map { $0["text"] } == ["ab", ""])
        }
    }

    @Test(arguments: [Endpoint.completions, .chat])
    func `an end without text is one chunk`(endpoint: Endpoint) throws {
        var stream = try makeStream(endpoint, ["stream": true])
        _ = stream.receive(event(0, "a", ids: [1]))
        let received = try chunks(stream.receive(event(0, ids: [2], finish: .stop(.endOfSequence))))
        #expect(received.map { $0["choices"]?.array?.first?["finish_reason"] } == ["stop"])
    }
}
