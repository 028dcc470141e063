import JSON
import Synchronization
import TestSupport
import Testing

@testable import ModelTools

@Suite struct NeedleEvaluationTests {
    /// A model whose tokens are words. It finds the needle unless it is deeper than its reach, and fails on prompts that are too
    /// long for it.
    private struct WordModel: NeedleSubject {
        var countsTokens = true
        var reportsUsage = true
        /// Words at the end of the prompt that it reads.
        var reach = Int.max
        var longest = Int.max
        let lengths = Lengths()

        func tokens(of prompt: String, prefix: String) -> Int? { countsTokens ? Self.words(prompt).count : nil }

        func reply(to prompt: String, prefix: String, maxTokens: Int) throws(RequestFailure) -> NeedleReply {
            let words = Self.words(prompt)
            lengths.add(words.count)
            guard words.count <= longest else {
                throw .status(400, message: "\(words.count) tokens, more than \(longest)")
            }
            let read = Array(words.suffix(reach))
            // "... magic number for KEY mentioned in the provided text?"
            let key = words[words.count - 6]
            // "... numbers for KEY is: VALUE."
            let index = read.indices.first { $0 + 2 < read.count && read[$0] == key && read[$0 + 1] == "is:" }
            let value = index.map { String(read[$0 + 2].dropLast()) }
            return NeedleReply(text: value ?? "I do not know.", promptTokens: reportsUsage ? words.count : nil)
        }

        private static func words(_ text: String) -> [Substring] { text.split { $0 == " " || $0 == "\n" } }
    }

    /// Words of the prompts that were answered or refused.
    private final class Lengths: Sendable {
        private let values = Mutex<[Int]>([])
        var all: [Int] { values.withLock { $0 } }
        func add(_ value: Int) { values.withLock { $0.append(value) } }
    }

    private let header = NeedleReport.Header(url: "http://a/v1", model: "words <&>", endpoint: "chat/completions")

    private var options: NeedleEvaluation.Options {
        var options = NeedleEvaluation.Options()
        (options.lengths, options.depths, options.samples) = ([512, 1024], [0, 50, 100], 2)
        return options
    }

    private func run(
        _ model: WordModel, _ options: NeedleEvaluation.Options, mustStop: @escaping @Sendable () -> Bool = { false }
    ) throws -> NeedleReport {
        try NeedleEvaluation(model, header: header, options: options, mustStop: mustStop).run()
    }

    @Test func `a sample has four distinct needles, and the asked one at its depth`() throws {
        let sample = NeedleSample(depth: 50, digits: 7, seed: 3)
        #expect(Set(sample.needles.map(\.key)).count == 4 && Set(sample.needles.map(\.value)).count == 4)
        #expect(sample.needles.allSatisfy { $0.value.count == 7 && $0.value.allSatisfy(\.isNumber) })
        let prompt = sample.prompt(sentences: 100)
        for needle in sample.needles {
            #expect(prompt.contains("One of the special magic numbers for \(needle.key) is: \(needle.value)."))
        }
        #expect(
            prompt.hasSuffix("What is the special magic number for \(sample.asked.key) mentioned in the provided text?")
        )
        // Half of the sentences come before it, give or take the other needles.
        let before = try #require(prompt.range(of: "for \(sample.asked.key) is:")).lowerBound
        let sentences = prompt[..<before].split(separator: ". ").count
        #expect((50...58).contains(sentences))
        #expect(prompt == NeedleSample(depth: 50, digits: 7, seed: 3).prompt(sentences: 100))
        #expect(prompt != NeedleSample(depth: 50, digits: 7, seed: 4).prompt(sentences: 100))
    }

    @Test(arguments: [0, 100]) func `a needle can be the first or the last sentence`(depth: Int) throws {
        let sample = NeedleSample(depth: depth, digits: 4, seed: 1)
        let lines = sample.prompt(sentences: 40).split(separator: "\n")
        let needle = "One of the special magic numbers for \(sample.asked.key) is: \(sample.asked.value)."
        let text = try #require(lines.dropFirst().first)
        #expect(depth == 0 ? text.hasPrefix(needle) : text.hasSuffix(needle) || text.contains(needle + " One of"))
    }

    @Test(arguments: [1, 7, 1000, 100_000]) func `a prompt fills its length whatever the first guess was`(guess: Int)
        throws
    {
        var counts = 0
        let sentences = try HaystackLength.sentences(budget: 5000, guess: guess) { count in
            counts += 1
            return 100 + 13 * count
        }
        let tokens = 100 + 13 * (try #require(sentences))
        #expect(tokens <= 5000 && tokens >= 4950)
        #expect(counts <= 8)
        #expect(try HaystackLength.sentences(budget: 99, guess: guess) { 100 + $0 } == nil)
    }

    @Test(arguments: [0, 1, 900, 5000]) func `no prompt grows without a bound`(constant: Int) throws {
        var largest = 0
        let error = #expect(throws: RequestFailure.self) {
            _ = try HaystackLength.sentences(budget: 5000, guess: 300) { count throws(RequestFailure) in
                largest = max(largest, count)
                return constant
            }
        }
        #expect(largest <= 5000 && error?.description.hasPrefix("the reply counts \(constant) tokens with 300") == true)
        // A token for each sentence is the least.
        let sentences = try HaystackLength.sentences(budget: 5000, guess: 1_000_000) { count throws(RequestFailure) in
            largest = max(largest, count)
            return count
        }
        #expect(sentences == 5000 && largest == 5000)
    }

    @Test func `what a model reads decides what it finds`() throws {
        var options = options
        options.lengths = [1024]
        var model = WordModel()
        let all = try run(model, options)
        #expect(all.isComplete && all.replies == 6 && all.row(1024).score == 1)
        model.reach = 450
        let half = try run(model, options)
        // The prompt has about 890 words.
        #expect(half.cell(1024, 0).score == 0 && half.cell(1024, 100).score == 1)
        #expect(half.misses.count >= 2 && half.misses.allSatisfy { $0.reply == "I do not know." })
    }

    @Test(arguments: [(true, true), (false, true), (false, false)])
    func `lengths are counted by the server or estimated, and the report says which`(
        countsTokens: Bool, reportsUsage: Bool
    ) throws {
        let model = WordModel(countsTokens: countsTokens, reportsUsage: reportsUsage)
        let report = try run(model, options)
        let words = model.lengths.all
        #expect(report.replies == 12)
        // 384 and 896 words are what a reply of 128 leaves; the words of a sentence have about 7 bytes each.
        for (length, budget) in [(512, 384), (1024, 896)] {
            if reportsUsage {
                let mean = try #require(report.meanPromptTokens(length))
                #expect(mean <= Double(budget) * 1.05 && mean > Double(budget) * 0.93, "\(length)")
            } else {
                #expect(report.meanPromptTokens(length) == nil)
            }
        }
        if countsTokens { #expect(words.allSatisfy { $0 <= 896 }) }
        let name = report.countingName
        #expect(
            name.hasPrefix(countsTokens ? "counted" : reportsUsage ? "estimated by the usage" : "estimated by bytes"))
        #expect(report.lines[1].contains(name))
    }

    @Test func `requests that fail are counted by their reason and are no samples`() throws {
        var model = WordModel()
        model.longest = 500
        let report = try run(model, options)
        #expect(report.row(512).samples == 6 && report.row(1024).samples == 0 && report.row(1024).failures == 6)
        #expect(report.row(1024).score == nil && report.isComplete)
        // The lengths in the messages differ, the reason does not.
        #expect(
            report.lines.contains { $0.hasPrefix("failed: 6 × HTTP 400: ") && $0.hasSuffix(" tokens, more than 500") })
        let json = try JSONValue(parsing: Array(report.json.utf8))
        #expect(json["lengths"]?[0]?["score"]?.double == 1 && json["lengths"]?[1]?["score"]?.isNull == true)
        #expect(json["lengths"]?[0]?["depths"]?[2]?["depth"] == 100)
        #expect(json["failures"]?[0]?["count"] == 6)
    }

    @Test func `a length without room for the needles is an error of its own`() throws {
        var options = options
        (options.lengths, options.replyTokens) = ([256], 200)
        let report = try run(WordModel(), options)
        #expect(report.replies == 0 && report.lines.contains { $0.contains("do not fit in 256 tokens") })
    }

    @Test func `a stopped test reports what was answered`() throws {
        let model = WordModel()
        var options = options
        options.concurrency = 1
        let report = try run(model, options) { model.lengths.all.count >= 4 }
        #expect(report.replies == 4 && !report.isComplete)
        #expect(report.lines.last == "stopped: not all questions were asked")
        #expect(report.heatMap.contains("–"))
    }

    @Test func `the same seed asks the same, whatever else is asked`() throws {
        var few = options
        (few.lengths, few.depths, few.samples) = ([1024], [100], 1)
        // It reads nothing, so all it is asked is in the misses.
        let blind = WordModel(reach: 1)
        let asked = try run(blind, few).misses.map(\.needle)
        let all = try run(blind, options).misses.map(\.needle)
        #expect(asked.count == 1 && all.count == 12 && all.contains(asked[0]))
        few.seed = 9
        #expect(try run(blind, few).misses.map(\.needle) != asked)
    }

    @Test func `the heat map has a cell for each length and depth, and escapes the name`() throws {
        let svg = try run(WordModel(), options).heatMap
        #expect(svg.components(separatedBy: "stroke=\"white\"").count == 2 * 3 + 1)
        #expect(svg.contains("words &lt;&amp;&gt;") && svg.hasPrefix("<svg") && svg.hasSuffix("</svg>\n"))
        #expect(svg.contains("#468cdc") && !svg.contains("#e68228"))
    }

    @Test(arguments: [
        (#"{"error": {"message": "too \u001b[31mlong"}}"#, "HTTP 400: too [31mlong"),
        (#"{"detail": "Not Found"}"#, "HTTP 400: Not Found"), ("<html>", "HTTP 400"), ("", "HTTP 400"),
    ])
    func `the message of a server is shown without control characters`(body: String, text: String) {
        #expect(RequestFailure(status: 400, body: Array(body.utf8)).description == text)
    }
}
