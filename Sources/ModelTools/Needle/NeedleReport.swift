import Foundation
import JSON

/// The results of `trinity needle`.
public struct NeedleReport: Sendable {
    /// The server and the way it was queried.
    public struct Header: Sendable {
        var url: String
        var model: String
        var endpoint: String
        /// Messages about the server for the user.
        var notes: [String] = []
    }

    /// The results of one length and depth.
    struct Cell: Sendable {
        var found = 0
        /// The number of replies.
        var samples = 0
        var failures = 0

        /// The fraction of replies with the value, in 0...1; `nil` if there are no replies.
        var score: Double? { samples > 0 ? Double(found) / Double(samples) : nil }

        static func + (a: Cell, b: Cell) -> Cell {
            Cell(found: a.found + b.found, samples: a.samples + b.samples, failures: a.failures + b.failures)
        }
    }

    /// A reply without the value.
    struct Miss: Sendable {
        var length: Int
        var depth: Int
        var needle: NeedleSample.Needle
        var reply: String
    }

    let header: Header
    let options: NeedleEvaluation.Options
    let counting: HaystackLength.Counting
    /// The results by length and depth.
    private var cells: [Place: Cell] = [:]
    /// The sum of the prompt tokens that the server reported, and the number of prompts, by length.
    private var promptTokens: [Int: (tokens: Int, prompts: Int)] = [:]
    /// The first failure and the number of failures of each kind.
    private var failures: [String: (first: RequestFailure, count: Int)] = [:]
    private(set) var misses: [Miss] = []

    private struct Place: Hashable {
        var length: Int
        var depth: Int
    }

    private static let mostFailures = 10
    private static let mostMisses = 20
    private static let longestReply = 200

    init(header: Header, options: NeedleEvaluation.Options, counting: HaystackLength.Counting) {
        (self.header, self.options, self.counting) = (header, options, counting)
    }

    mutating func add(_ result: Result<NeedleReply, RequestFailure>, to sample: NeedleSample, length: Int) {
        let place = Place(length: length, depth: sample.asked.depth)
        switch result {
        case .success(let reply):
            let isFound = reply.text.utf8.contains(sample.asked.value.utf8)
            cells[place, default: Cell()].samples += 1
            cells[place, default: Cell()].found += isFound ? 1 : 0
            if let tokens = reply.promptTokens {
                let sum = promptTokens[length] ?? (0, 0)
                promptTokens[length] = (sum.tokens + tokens, sum.prompts + 1)
            }
            if !isFound, misses.count < Self.mostMisses {
                let text = String(reply.text.prefix(Self.longestReply))
                misses.append(Miss(length: length, depth: place.depth, needle: sample.asked, reply: text))
            }
        case .failure(let failure):
            if failure.isStop { return }
            cells[place, default: Cell()].failures += 1
            failures[failure.kind, default: (failure, 0)].count += 1
        }
    }

    func cell(_ length: Int, _ depth: Int) -> Cell { cells[Place(length: length, depth: depth)] ?? Cell() }

    /// Returns the total of all depths of a length.
    func row(_ length: Int) -> Cell { options.depths.map { cell(length, $0) }.reduce(Cell(), +) }

    /// Returns the mean prompt tokens of a length, as reported by the server.
    func meanPromptTokens(_ length: Int) -> Double? {
        promptTokens[length].map { Double($0.tokens) / Double($0.prompts) }
    }

    /// The number of completed requests, with or without a reply.
    public var answers: Int { cells.values.reduce(0) { $0 + $1.samples + $1.failures } }
    /// The number of requests with a reply.
    public var replies: Int { cells.values.reduce(0) { $0 + $1.samples } }
    /// Whether all questions were asked.
    public var isComplete: Bool { answers == options.lengths.count * options.depths.count * options.samples }

    /// How the tokens of prompts were counted.
    var countingName: String {
        switch counting {
        case .exact: "counted by the server's /tokenize"
        case .estimated(base: 0, _): "estimated by bytes: the server has no /tokenize and reports no usage"
        case .estimated: "estimated by the usage of two requests: the server has no /tokenize"
        }
    }

    /// The report as a table, with a row for each length and a column for each depth.
    public var lines: [String] {
        var lines = [
            "server    \(header.url), model \(header.model), \(header.endpoint)",
            "tokens    \(countingName); at most \(options.replyTokens) of a length are for the reply",
            "needles   \(NeedleSample.needleCount), one asked for, values of \(options.digits) digits, seed \(options.seed)",
            "", "length  prompt  samples  score   at depth",
            "                                " + options.depths.map { String(format: "%6d %%", $0) }.joined(),
        ]
        for length in options.lengths {
            let row = row(length)
            let tokens = meanPromptTokens(length).map { String(format: "%.0f", $0) } ?? "-"
            let scores = [row.score] + options.depths.map { cell(length, $0).score }
            let texts = scores.map { $0.map { String(format: "%.2f", $0) } ?? "-" }
            lines.append(
                Self.right(String(length), 6) + Self.right(tokens, 8) + Self.right(String(row.samples), 9)
                    + Self.right(texts[0], 7) + "  " + texts.dropFirst().map { Self.right($0, 8) }.joined())
        }
        lines += header.notes.map { "note: \($0)" }
        lines += sortedFailures.prefix(Self.mostFailures).map { "failed: \($1) × \($0)" }
        if failures.count > Self.mostFailures {
            lines.append("failed: \(failures.count - Self.mostFailures) other kinds")
        }
        if !isComplete { lines.append("stopped: not all questions were asked") }
        return lines
    }

    private var sortedFailures: [(RequestFailure, Int)] {
        failures.sorted { ($1.value.count, $0.key) < ($0.value.count, $1.key) }.map { ($0.value.first, $0.value.count) }
    }

    private static func right(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(width - text.count, 0)) + text
    }

    /// The report as one JSON object.
    public var json: String {
        func members(_ cell: Cell) -> [(String, JSONValue)] {
            [
                ("samples", .integer(cell.samples)), ("found", .integer(cell.found)),
                ("failures", .integer(cell.failures)), ("score", cell.score.map(JSONValue.double) ?? .null),
            ]
        }
        func object(_ members: [(String, JSONValue)]) -> JSONValue {
            var object = JSONObject()
            for (name, value) in members { object[name] = value }
            return .object(object)
        }
        let lengths = options.lengths.map { length in
            let tokens = meanPromptTokens(length).map(JSONValue.double) ?? .null
            let depths = options.depths.map { object([("depth", .integer($0))] + members(cell(length, $0))) }
            return object(
                [("length", .integer(length)), ("mean_prompt_tokens", tokens)] + members(row(length))
                    + [("depths", .array(JSONArray(depths)))])
        }
        let json = object([
            ("url", .string(header.url)), ("model", .string(header.model)), ("endpoint", .string(header.endpoint)),
            ("counting", .string(countingName)), ("needles", .integer(NeedleSample.needleCount)),
            ("digits", .integer(options.digits)), ("reply_tokens", .integer(options.replyTokens)),
            ("seed", Int(exactly: options.seed).map(JSONValue.integer) ?? .bigInteger(String(options.seed))),
            ("complete", .bool(isComplete)),
            ("lengths", .array(JSONArray(lengths))),
            (
                "failures",
                .array(
                    JSONArray(
                        sortedFailures.map { ["message": .string("\($0)"), "count": .integer($1)] }))
            ),
            (
                "misses",
                .array(
                    JSONArray(
                        misses.map { miss in
                            [
                                "length": .integer(miss.length), "depth": .integer(miss.depth),
                                "key": .string(miss.needle.key), "value": .string(miss.needle.value),
                                "reply": .string(miss.reply),
                            ]
                        }))
            ),
            ("notes", .array(JSONArray(header.notes.map(JSONValue.string)))),
        ])
        return String(decoding: json.serialized, as: UTF8.self)
    }
}
