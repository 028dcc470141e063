import Engine
import JSON
import Testing

@testable import Server

/// `timings`: the times of the phases of a request.
@Suite struct ReplyTimingsTests: StreamSamples {
    private let start = ContinuousClock.now

    private func event(_ index: Int, admitted: Int? = nil, at times: [Int], finish: FinishReason? = nil) -> TokenEvent {
        var event = event(index, "x", finish: finish)
        event.admitted = admitted.map { start + .milliseconds($0) }
        event.cachedTokens = admitted == nil ? 0 : 1
        event.tokens = times.map { GeneratedToken(id: 1, logprobs: nil, time: start + .milliseconds($0)) }
        return event
    }

    @Test func `times and rates are those of the events`() throws {
        var timings = ReplyTimings(arrival: start)
        let usage = Usage(promptTokens: 5, completionTokens: 3, cachedTokens: 1)
        timings.add(event(0, admitted: 10, at: [30]), isFirst: true)
        timings.add(event(0, at: [50, 70]), isFirst: false)
        #expect(
            timings.json(usage) == [
                "queue_ms": 10.0, "cache_n": 1, "prompt_n": 4, "prompt_ms": 20.0, "prompt_per_second": 200.0,
                "predicted_n": 3, "predicted_ms": 40.0, "predicted_per_second": 50.0, "predicted_per_token_ms": 20.0,
            ])
        // The generation of a single token cannot be measured.
        var single = ReplyTimings(arrival: start)
        single.add(event(0, admitted: 0, at: [5]), isFirst: true)
        let json = single.json(Usage(promptTokens: 1, completionTokens: 1, cachedTokens: 1))
        #expect(json["predicted_per_second"] == JSONValue.null && json["prompt_per_second"] == JSONValue.null)
    }

    @Test(arguments: [Endpoint.completions, .chat])
    func `a reply has timings on request`(endpoint: Endpoint) throws {
        for (field, counts) in [("none", (0, false)), ("timings", (1, true)), ("timings_per_token", (4, true))] {
            let fields: JSONObject = field == "none" ? [:] : [field: true]
            var whole = try makeStream(endpoint, fields)
            var streamed = fields
            streamed["stream"] = true
            var stream = try makeStream(endpoint, streamed)
            var received: [JSONValue] = []
            for event in [event(0, admitted: 0, at: [1]), event(0, at: [2], finish: .length)] {
                _ = whole.receive(event)
                received += try chunks(stream.receive(event))
            }
            #expect((whole.body.object?["timings"] != nil) == counts.1)
            // A chat has one additional chunk, with the role.
            let expected = endpoint == .completions ? min(counts.0, 3) : counts.0
            #expect(received.count { $0.object?["timings"] != nil } == expected, "\(field)")
            #expect((received.last?.object?["timings"] != nil) == counts.1)
        }
    }
}
