import Engine
import Foundation
import JSON
import Scheduling
import TestSupport
import Testing

@testable import Server

/// Replies of every API, compared byte for byte with `Tests/Fixtures/replies`. After an intended change, run this suite with
/// `RECORD_REPLIES=1` to record them again; the differences of the files show what clients will see.
@Suite struct RecordedReplyTests: StreamSamples {
    /// One request with the events of its sequences.
    struct Scenario: CustomTestStringConvertible {
        var name: String
        var endpoint: Endpoint
        var fields: JSONObject = [:]
        var prompts: [[Int32]] = [[7, 8, 9]]
        var promptTexts: [String] = []
        /// Whether the output is split into parts.
        var parses = false
        /// Whether the request has one tool that must be called.
        var namesTool = false
        /// Whether every chunk of a stream has the usage so far.
        var tellsUsage: JSONValue = false
        var events: @Sendable (RecordedReplyTests) -> [TokenEvent]
        /// The error of the request after its events.
        var failure: APIError?

        var testDescription: String { name }
    }

    private static let folder = Fixtures.root.appending(path: "replies")
    private static let isRecording = ProcessInfo.processInfo.environment["RECORD_REPLIES"] == "1"
    private let start = ContinuousClock.now
    private let text: TextPipeline

    init() throws {
        text = try #require(try TextPipeline(directory: Fixtures.chatModel))
    }

    @Test(arguments: all) func `a reply has the recorded bytes, whole and streamed`(scenario: Scenario) throws {
        var record = ""
        for isStreamed in [false, true] {
            var fields = scenario.fields
            let only: Bool? = fields["return_progress"] != nil ? true : fields["best_of"] != nil ? false : nil
            if let only, only != isStreamed { continue }
            if isStreamed {
                fields["stream"] = true
                // Streams do not have them.
                fields["prompt_logprobs"] = .null
                if !scenario.endpoint.isItemized {
                    fields["stream_options"] = ["include_usage": true, "continuous_usage_stats": scenario.tellsUsage]
                }
            }
            record += "# \(isStreamed ? "streamed" : "whole")\n"
            record += try reply(scenario, fields)
        }
        let file = Self.folder.appending(path: "\(scenario.name).txt")
        if Self.isRecording { try Data(record.utf8).write(to: file) }
        #expect(try record == String(contentsOf: file, encoding: .utf8))
    }

    private func reply(_ scenario: Scenario, _ fields: JSONObject) throws -> String {
        var stream = try makeStream(
            scenario.endpoint, fields, prompts: scenario.prompts, names: .letters, promptTexts: scenario.promptTexts,
            parsing: scenario.parses ? parsing(scenario) : nil, arrival: start)
        var record = ""
        for event in scenario.events(self) { record += text(stream.receive(event)) }
        if let failure = scenario.failure { record += text(stream.fail(failure)) }
        if let failure = stream.failure { return record + text(failure.json.serialized) + "\n" }
        if fields["stream"] == nil { record += text(stream.body.serialized) + "\n" }
        return record
    }

    private func parsing(_ scenario: Scenario) throws -> OutputParserConfiguration? {
        var chat: JSONObject = [
            "messages": [["role": "user", "content": "x"]],
            "tools": [["type": "function", "function": ["name": "f"]]],
        ]
        if scenario.namesTool { chat["tool_choice"] = ["type": "function", "function": ["name": "f"]] }
        for name in ["include_reasoning", "parallel_tool_calls"] { chat[name] = scenario.fields[name] }
        if scenario.endpoint == .messages { chat["include_reasoning"] = .bool(scenario.fields["thinking"] != nil) }
        return try OutputParserConfiguration(ChatCompletionRequest(.object(chat), for: .sample), prompt: "", text)
    }
}

extension RecordedReplyTests {
    private static let endpoints: [(name: String, endpoint: Endpoint)] = [
        ("chat", .chat), ("completions", .completions), ("messages", .messages), ("responses", .responses),
    ]
    private static let output = """
        <think>two\nlines</think>Let me see.
        <tool_call>
        {"name": "f", "arguments": {"a": "é"}}
        </tool_call>
        <tool_call>
        {"name": "f", "arguments": {}}
        </tool_call>
        """

    private static let all: [Scenario] =
        endpoints.flatMap { name, endpoint in common(name, endpoint) } + chats + completions

    /// The scenarios of every API.
    private static func common(_ name: String, _ endpoint: Endpoint) -> [Scenario] {
        var scenarios = [
            Scenario(name: "\(name)-text", endpoint: endpoint) { $0.plain(finish: .stop(.endOfSequence)) },
            Scenario(name: "\(name)-length", endpoint: endpoint) { $0.plain(finish: .length) },
            Scenario(name: "\(name)-stop-string", endpoint: endpoint) { $0.plain(finish: .stop(.string("##"))) },
            Scenario(name: "\(name)-empty", endpoint: endpoint) { [$0.event(0, finish: .stop(.token(4)))] },
            Scenario(name: "\(name)-error-first", endpoint: endpoint) {
                [$0.event(0, ids: [1], finish: .unsatisfiable)]
            },
            Scenario(name: "\(name)-error-later", endpoint: endpoint) { $0.plain(finish: .deadlineExceeded) },
            Scenario(name: "\(name)-failure", endpoint: endpoint, events: { $0.plain(finish: nil) }, failure: .aborted),
        ]
        guard endpoint.isChat else { return scenarios }
        let thinking: JSONObject = endpoint == .messages ? ["thinking": ["type": "adaptive"]] : [:]
        scenarios.append(
            Scenario(name: "\(name)-parts", endpoint: endpoint, fields: thinking, parses: true) {
                $0.pieces(output, [3, 9, 7, 11, 30, 4, 5, 40, 200], finish: .stop(.endOfSequence))
            })
        scenarios.append(
            Scenario(name: "\(name)-parts-at-once", endpoint: endpoint, fields: thinking, parses: true) {
                $0.pieces(output, [400], finish: .stop(.endOfSequence))
            })
        scenarios.append(
            Scenario(name: "\(name)-call-cut", endpoint: endpoint, fields: thinking, parses: true) {
                $0.pieces(String(output.prefix(87)), [40, 30, 30], finish: .length)
            })
        return scenarios
    }

    private static let chats = [
        Scenario(
            name: "chat-parts-logprobs", endpoint: .chat,
            fields: ["logprobs": true, "top_logprobs": 1, "return_token_ids": true], parses: true
        ) { $0.pieces(output, [20, 20, 60, 200], finish: .stop(.endOfSequence), logprob: -0.5) },
        Scenario(name: "chat-no-reasoning", endpoint: .chat, fields: ["include_reasoning": false], parses: true) {
            $0.pieces(output, [20, 20, 60, 200], finish: .stop(.endOfSequence))
        },
        Scenario(name: "chat-single-call", endpoint: .chat, fields: ["parallel_tool_calls": false], parses: true) {
            $0.pieces(output, [70, 50, 200], finish: .stop(.token(7)))
        },
        Scenario(name: "chat-named-tool", endpoint: .chat, parses: true, namesTool: true) {
            $0.pieces(
                "<tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n</tool_call>", [20, 60],
                finish: .stop(.endOfSequence))
        },
        Scenario(
            name: "chat-two-choices", endpoint: .chat,
            fields: ["n": 2, "logprobs": true, "return_token_ids": true, "service_tier": "auto"], parses: true
        ) { test in
            let choices = (0..<2).map {
                test.pieces(output, $0 == 0 ? [30, 90, 60] : [50, 20, 80], choice: $0, finish: .length, logprob: -1)
            }
            return (0..<3).flatMap { index in choices.map { $0[index] } }
        },
        Scenario(name: "chat-prompt-logprobs", endpoint: .chat, fields: ["prompt_logprobs": 1]) {
            $0.scoredPrompt() + $0.plain(finish: .length)
        },
        Scenario(name: "chat-timings", endpoint: .chat, fields: ["timings_per_token": true]) {
            $0.plain(finish: .length)
        },
        Scenario(name: "chat-progress", endpoint: .chat, fields: ["return_progress": true]) {
            $0.progress() + $0.plain(finish: .length)
        },
        Scenario(name: "chat-continuous-usage", endpoint: .chat, tellsUsage: true) { $0.plain(finish: .length) },
    ]

    private static let completions = [
        Scenario(
            name: "completions-echo", endpoint: .completions,
            fields: ["echo": true, "logprobs": 1, "return_token_ids": true], promptTexts: ["hij"]
        ) { $0.scoredPrompt() + $0.plain(finish: .length, logprob: -0.5) },
        Scenario(
            name: "completions-logprobs", endpoint: .completions,
            fields: ["logprobs": 1, "return_tokens_as_token_ids": true, "prompt_logprobs": 0]
        ) { $0.scoredPrompt() + $0.plain(finish: .length, logprob: -0.5) },
        Scenario(name: "completions-scores", endpoint: .completions, fields: ["logprobs": 1, "return_token_ids": true])
        {
            [$0.event(0, tokens: [$0.scored(1, -0.5, 0)])] + $0.plain(finish: .length, logprob: -0.5)
        },
        Scenario(
            name: "completions-two-prompts", endpoint: .completions, fields: ["n": 2], prompts: [[1], [2, 3]]
        ) { test in
            (0..<4).flatMap { [test.event($0, "t\($0)", ids: [Int32($0)]), test.event($0, ids: [5], finish: .length)] }
        },
        Scenario(name: "completions-best", endpoint: .completions, fields: ["best_of": 3]) { test in
            (0..<3).map { test.event($0, "t\($0)", tokens: [test.scored(1, [-2, -1, -3][$0], 0)], finish: .length) }
        },
        Scenario(name: "completions-timings", endpoint: .completions, fields: ["timings": true]) {
            $0.plain(finish: .length)
        },
        Scenario(name: "completions-progress", endpoint: .completions, fields: ["return_progress": true]) {
            $0.progress() + $0.plain(finish: .length)
        },
    ]

    // MARK: Events

    fileprivate func scored(_ id: Int32, _ logprob: Float?, _ milliseconds: Int) -> GeneratedToken {
        let logprobs = logprob.map {
            TokenLogprobs(logprob: $0, rank: 1, top: [TokenLogprob(id: (id + 1) % 26, logprob: $0 - 1)])
        }
        return GeneratedToken(id: id, logprobs: logprobs, time: start + .milliseconds(20 + milliseconds))
    }

    /// A reply of one kind in three events, the second without text.
    fileprivate func plain(finish: FinishReason?, logprob: Float? = nil) -> [TokenEvent] {
        var first = event(0, "He\"y", tokens: [scored(1, logprob, 0), scored(2, logprob, 10)])
        first.admitted = start + .milliseconds(5)
        first.cachedTokens = 2
        return [
            first, event(0, tokens: [scored(3, logprob, 20)]),
            event(0, "é\n!", tokens: [scored(4, logprob, 30)], finish: finish),
        ]
    }

    /// A reply in pieces of these lengths.
    fileprivate func pieces(
        _ text: String, _ lengths: [Int], choice: Int = 0, finish: FinishReason, logprob: Float? = nil
    ) -> [TokenEvent] {
        var rest = Substring(text)
        return lengths.enumerated().map { index, length in
            let piece = rest.prefix(length)
            rest = rest.dropFirst(length)
            return event(
                choice, String(piece), tokens: [scored(Int32(index), logprob, index)],
                finish: index == lengths.count - 1 ? finish : nil)
        }
    }

    fileprivate func scoredPrompt() -> [TokenEvent] {
        var event = event(0)
        event.promptLogprobs = [8, 9].map {
            TokenLogprobs(
                logprob: -2, rank: 3, top: [TokenLogprob(id: $0 + 1, logprob: -0.25), TokenLogprob(id: 1, logprob: -1)])
        }
        return [event]
    }

    fileprivate func progress() -> [TokenEvent] {
        var event = event(0)
        event.admitted = start + .milliseconds(5)
        event.promptProgress = (2, start + .milliseconds(8))
        return [event]
    }
}

extension Endpoint {
    fileprivate var isItemized: Bool { self == .messages || self == .responses }
}
