import Engine
import JSON
import Scheduling
import TestSupport
import Testing

@testable import Server

@Suite struct ResponseStreamTests: StreamSamples {
    // MARK: The exact bytes

    @Test func `a chat stream begins with the role and ends with DONE`() throws {
        var stream = try makeStream(.chat, json: #"{"stream":true,"stream_options":{"include_usage":true}}"#)
        #expect(stream.receive(event(0)).isEmpty)
        let head =
            #"data: {"id":"chatcmpl-7","object":"chat.completion.chunk","created":5,"model":"tiny","system_fingerprint":null,"choices":["#
        var first = event(0, "He\"y", ids: [1])
        first.cachedTokens = 2
        #expect(
            text(stream.receive(first)) == """
                \(head){"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"usage":null}

                \(head){"index":0,"delta":{"content":"He\\"y"},"logprobs":null,"finish_reason":null}],"usage":null}


                """)
        #expect(stream.receive(event(0, ids: [2])).isEmpty)
        #expect(!stream.isFinished)
        #expect(
            text(stream.receive(event(0, "!", ids: [3], finish: .stop(.endOfSequence)))) == """
                \(head){"index":0,"delta":{"content":"!"},"logprobs":null,"finish_reason":null}],"usage":null}

                \(head){"index":0,"delta":{},"logprobs":null,"finish_reason":"stop","stop_reason":null}],"usage":null}

                \(head)],"usage":{"prompt_tokens":3,"completion_tokens":3,"total_tokens":6,"prompt_tokens_details":{"cached_tokens":2},"completion_tokens_details":{"reasoning_tokens":0}}}

                data: [DONE]


                """)
        #expect(stream.isFinished && stream.failure == nil)
        #expect(stream.receive(event(0, "late", ids: [4])).isEmpty)
    }

    @Test func `a completion stream has no role and no usage unless asked`() throws {
        var stream = try makeStream(.completions, json: #"{"stream":true}"#)
        let head =
            #"data: {"id":"cmpl-7","object":"text_completion","created":5,"model":"tiny","system_fingerprint":null,"choices":["#
        #expect(
            text(stream.receive(event(0, "a", ids: [1], finish: .length))) == """
                \(head){"index":0,"text":"a","logprobs":null,"finish_reason":null}]}

                \(head){"index":0,"text":"","logprobs":null,"finish_reason":"length","stop_reason":null}]}

                data: [DONE]


                """)
    }

    @Test func `a whole chat reply has every required key`() throws {
        var stream = try makeStream(.chat, json: #"{"return_token_ids":true,"service_tier":"auto"}"#)
        #expect(stream.receive(event(0, "Hi", ids: [1, 2])).isEmpty)
        #expect(stream.receive(event(0, finish: .stop(.string("##")))).isEmpty)
        #expect(stream.isFinished)
        #expect(
            text(stream.body.serialized) == """
                {"id":"chatcmpl-7","object":"chat.completion","created":5,"model":"tiny","service_tier":"default",\
                "system_fingerprint":null,"choices":[{"index":0,"message":{"role":"assistant","content":"Hi","refusal":null},\
                "logprobs":null,"finish_reason":"stop","stop_reason":"##","token_ids":[1,2],"prompt_token_ids":[7,8,9]}],\
                "usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5,"prompt_tokens_details":{"cached_tokens":0},\
                "completion_tokens_details":{"reasoning_tokens":0}}}
                """)
    }

    @Test func `token ids and log-probabilities are in chunks even without text`() throws {
        var stream = try makeStream(
            .completions, json: #"{"stream":true,"logprobs":1,"return_token_ids":true}"#, names: .letters)
        let first = try chunks(stream.receive(event(0, tokens: [token(1, -0.5, top: [(2, -0.25)])])))
        #expect(first.count == 1)
        #expect(first[0]["choices"]?[0]?["text"] == "")
        #expect(first[0]["choices"]?[0]?["token_ids"] == [1])
        #expect(first[0]["choices"]?[0]?["prompt_token_ids"] == [7, 8, 9])
        let second = try chunks(stream.receive(event(0, "x", tokens: [token(3, -1, top: [])])))
        #expect(second[0]["choices"]?[0]?["prompt_token_ids"] == nil)
        #expect(second[0]["choices"]?[0]?["logprobs"]?["text_offset"] == [1])
    }

    @Test func `usage can be in every chunk`() throws {
        var stream = try makeStream(
            .chat, json: #"{"stream":true,"stream_options":{"include_usage":true,"continuous_usage_stats":true}}"#)
        var usages: [Int?] = []
        for (index, finish) in [nil, nil, FinishReason.length].enumerated() {
            for chunk in try chunks(stream.receive(event(0, "a", ids: [Int32(index)], finish: finish))) {
                usages.append(chunk["usage"]?["completion_tokens"]?.integer)
            }
        }
        #expect(usages == [1, 1, 2, 3, 3, 3])
    }

    @Test func `a stop id is the stop reason`() throws {
        var stream = try makeStream(.completions, json: "{}")
        _ = stream.receive(event(0, ids: [4], finish: .stop(.token(4))))
        #expect(stream.body["choices"]?[0]?["stop_reason"] == 4)
        #expect(stream.body["choices"]?[0]?["finish_reason"] == "stop")
    }

    // MARK: Several choices

    @Test func `choices finish one by one and the stream after the last`() throws {
        var stream = try makeStream(.chat, json: #"{"stream":true,"n":2}"#, prompts: [[1], [2, 3]])
        let second = try chunks(stream.receive(event(3, "d", ids: [1], finish: .length)))
        #expect(second.map { $0["choices"]?[0]?["index"] } == [3, 3, 3])
        #expect(second.first?["choices"]?[0]?["delta"]?["role"] == "assistant")
        for index in [0, 2] { _ = stream.receive(event(index, ids: [1], finish: .length)) }
        #expect(!stream.isFinished)
        let last = stream.receive(event(1, ids: [1], finish: .length))
        #expect(stream.isFinished && text(last).hasSuffix("data: [DONE]\n\n"))
    }

    @Test func `usage counts each prompt once and every choice's tokens`() throws {
        var stream = try makeStream(.completions, json: #"{"n":2}"#, prompts: [[1], [2, 3]])
        for index in 0..<4 {
            var event = event(index, ids: [1, 2], finish: .length)
            event.cachedTokens = index + 1
            _ = stream.receive(event)
        }
        #expect(stream.state.usage == Usage(promptTokens: 3, completionTokens: 8, cachedTokens: 1 + 3))
    }

    @Test func `events of other requests are ignored`() throws {
        var stream = try makeStream(.completions, json: #"{"stream":true}"#)
        #expect(stream.receive(TokenEvent(sequence: SequenceID(99))).isEmpty)
        #expect(stream.receive(event(1, "x", ids: [1], finish: .length)).isEmpty)
        #expect(!stream.isFinished)
    }

    // MARK: Errors

    @Test(
        arguments: [
            (.abort, "aborted", 500), (.deadlineExceeded, "deadline_exceeded", 504), (.error("secret"), nil, 500),
            (.grammarLimit("uses more than 4096 parallel parses"), "invalid_value", 400),
        ] as [(FinishReason, String?, Int)])
    func `an error before the first byte is the reply`(finish: FinishReason, code: String?, status: Int) throws {
        for body in ["{}", #"{"stream":true}"#] {
            var stream = try makeStream(.chat, json: body)
            #expect(stream.receive(event(0, ids: [1], finish: finish)).isEmpty)
            #expect(stream.isFinished && stream.failure?.code == code && stream.failure?.status.code == status)
        }
    }

    @Test func `an error in the middle is an event and the end, without internals`() throws {
        var stream = try makeStream(.chat, json: #"{"stream":true,"n":2}"#)
        #expect(!stream.receive(event(0, "a", ids: [1])).isEmpty)
        let end = text(stream.receive(event(1, finish: .error("secret"))))
        #expect(end.hasPrefix(#"data: {"error":{"message":""#) && end.hasSuffix("}}\n\ndata: [DONE]\n\n"))
        #expect(!end.contains("secret"))
        #expect(stream.isFinished && stream.failure == nil && stream.error == .internalError)
        #expect(stream.fail(.aborted).isEmpty && stream.error == .internalError)
    }

    // MARK: Log-probabilities

    @Test func `completions list the sampled token among the alternatives and keep the more likely of equal texts`()
        throws
    {
        // Ids 11 and 21 are both called "1" here.
        let names = TokenNames { Array("\($0 % 10)".utf8) }
        var stream = try makeStream(.completions, json: #"{"logprobs":2}"#, names: names)
        _ = stream.receive(
            event(
                0, tokens: [token(11, -3, top: [(12, -0.5), (21, -1)]), token(13, -.infinity, top: [])], finish: .length
            ))
        let logprobs = stream.body["choices"]?[0]?["logprobs"]
        #expect(logprobs?["tokens"] == ["1", "3"])
        #expect(logprobs?["token_logprobs"] == [-3.0, -9999.0])
        #expect(logprobs?["top_logprobs"] == [["2": -0.5, "1": -1.0], ["3": -9999.0]])
        #expect(logprobs?["text_offset"] == [0, 1])
    }

    @Test func `offsets count characters across tokens that split them`() throws {
        let pieces: [[UInt8]] = [[0x61, 0xC3], [0xA9, 0x62], [0xF0, 0x9F], [0x9A], [0x80], [0x63]]
        let names = TokenNames { pieces[Int($0)] }
        var stream = try makeStream(.completions, json: #"{"logprobs":0}"#, names: names)
        _ = stream.receive(event(0, tokens: pieces.indices.map { token(Int32($0), -1, top: []) }, finish: .length))
        #expect(stream.body["choices"]?[0]?["logprobs"]?["text_offset"] == [0, 1, 3, 3, 3, 4])
    }

    @Test func `offsets count invalid bytes and skipped special tokens like the text`() throws {
        let pieces: [[UInt8]] = [[0x61], [0x80], [0x3C, 0x7C, 0x3E], [0xC3], [0x62], [0x63]]
        let names = TokenNames(bytes: { pieces[Int($0)] }, isSpecial: { $0 == 2 })
        func offsets(_ json: String) throws -> JSONValue? {
            var stream = try makeStream(.completions, json: json, names: names)
            _ = stream.receive(event(0, tokens: pieces.indices.map { token(Int32($0), -1, top: []) }, finish: .length))
            return stream.body["choices"]?[0]?["logprobs"]?["text_offset"]
        }
        // "a", U+FFFD, nothing, then U+FFFD for the character that "b" interrupts.
        #expect(try offsets(#"{"logprobs":0}"#) == [0, 1, 2, 2, 2, 4])
        #expect(try offsets(#"{"logprobs":0,"skip_special_tokens":false}"#) == [0, 1, 2, 5, 5, 7])
    }

    @Test func `chat returns exact bytes in addition to the text`() throws {
        let names = TokenNames { $0 == 1 ? [0xC3] : [0x62] }
        var stream = try makeStream(.chat, json: #"{"logprobs":true,"top_logprobs":1}"#, names: names)
        _ = stream.receive(event(0, tokens: [token(1, -0.5, top: [(2, -.infinity)])], finish: .length))
        #expect(
            stream.body["choices"]?[0]?["logprobs"] == [
                "content": [
                    [
                        "token": "\u{FFFD}", "logprob": -0.5, "bytes": [0xC3],
                        "top_logprobs": [["token": "b", "logprob": -9999.0, "bytes": [0x62]]],
                    ]
                ], "refusal": nil,
            ])
    }

    @Test func `ids without text have names`() throws {
        var stream = try makeStream(.chat, json: #"{"logprobs":true}"#, names: .idsOnly)
        _ = stream.receive(event(0, tokens: [token(7, -0.5, top: [])], finish: .length))
        let entry = stream.body["choices"]?[0]?["logprobs"]?["content"]?[0]
        #expect(entry?["token"] == "token_id:7" && entry?["bytes"] == JSONValue.null)
        stream = try makeStream(.completions, json: #"{"logprobs":0}"#, names: .idsOnly)
        _ = stream.receive(event(0, tokens: [token(7, -0.5, top: []), token(8, -0.5, top: [])], finish: .length))
        #expect(stream.body["choices"]?[0]?["logprobs"]?["text_offset"] == [0, 0])
    }

    // MARK: One truth for both forms

    @Test(arguments: 0..<40)
    func `a stream, joined, equals the whole reply`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let endpoint: Endpoint = seed % 2 == 0 ? .chat : .completions
        let logprobs = endpoint == .chat ? #""logprobs":true,"top_logprobs":2"# : #""logprobs":2"#
        let options = #""n":2,"return_token_ids":true,\#(logprobs)"#
        let prompts: [[Int32]] = [[1], [2, 3]]
        var whole = try makeStream(endpoint, json: "{\(options)}", prompts: prompts, names: .letters)
        var stream = try makeStream(endpoint, json: #"{"stream":true,\#(options)}"#, prompts: prompts, names: .letters)
        var received: [JSONValue] = []
        for event in randomEvents(choices: 4, using: &random) {
            _ = whole.receive(event)
            received += try chunks(stream.receive(event))
        }
        #expect(whole.isFinished && stream.isFinished && whole.state.usage == stream.state.usage)
        for index in 0..<4 {
            let parts = received.compactMap { $0["choices"]?[0] }.filter { $0["index"]?.integer == index }
            let expected = try #require(whole.body["choices"]?[index])
            let text = parts.compactMap { ($0["text"] ?? $0["delta"]?["content"])?.string }.joined()
            #expect(text == (expected["text"] ?? expected["message"]?["content"])?.string)
            #expect(parts.flatMap { $0["token_ids"]?.array ?? [] } == expected["token_ids"]?.array)
            #expect(parts.compactMap { $0["prompt_token_ids"] } == [expected["prompt_token_ids"]])
            #expect(parts.last?["finish_reason"] == expected["finish_reason"])
            #expect(parts.dropLast().allSatisfy { $0["finish_reason"] == JSONValue.null })
            for key in ["content", "tokens", "token_logprobs", "top_logprobs", "text_offset"] {
                let joined = parts.flatMap { $0["logprobs"]?[key]?.array ?? [] }
                #expect(joined == expected["logprobs"]?[key]?.array ?? [])
            }
        }
    }

    /// Random tokens and text split at random places, with the choices interleaved.
    private func randomEvents(choices: Int, using random: inout SeededGenerator) -> [TokenEvent] {
        var left = (0..<choices).map { _ in Int.random(in: 1...12, using: &random) }
        var events: [TokenEvent] = []
        while let index = left.indices.filter({ left[$0] > 0 }).randomElement(using: &random) {
            left[index] -= 1
            var tokens: [GeneratedToken] = []
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                let top = (0..<2).map { _ in
                    (Int32.random(in: 0..<26, using: &random), Float.random(in: -9...0, using: &random))
                }
                tokens.append(token(.random(in: 0..<26, using: &random), .random(in: -9...0, using: &random), top: top))
            }
            let text = ["", "a", "é", "\n\"", "🚀x"].randomElement(using: &random) ?? ""
            events.append(event(index, text, tokens: tokens, finish: left[index] == 0 ? .length : nil))
        }
        return events
    }
}
