import ArgumentParser
import Basics
import Foundation
import ModelTools

/// `trinity needle`: tests how well a served model finds facts in long texts.
struct Needle: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure how well a running server finds needles in haystacks.",
        discussion: """
            Each prompt is a text of unrelated sentences with four needles such as "One of the special magic numbers for \
            ivory-lantern is: 4815162.", and asks for one of the numbers (MK-NIAH, as in RULER). Any server with OpenAI's API \
            can be measured. The API key can also be in OPENAI_API_KEY. Ctrl-C prints the results so far.
            """)

    private typealias Options = NeedleEvaluation.Options

    @Argument(
        help: ArgumentHelp(
            "Address of the server, such as http://127.0.0.1:8000, with or without /v1.", valueName: "url"))
    var url: String
    @Option(help: ArgumentHelp("Name of the model (default: the first one that the server lists).", valueName: "name"))
    var model: String?
    @Option(
        help: ArgumentHelp(
            "API key. Prefer OPENAI_API_KEY, because other users of the machine can see the command line.",
            valueName: "key"))
    var apiKey: String?
    @Option(
        help: ArgumentHelp("Lengths of prompt and reply together in tokens, separated by commas.", valueName: "list"))
    var lengths = list(Options().lengths)
    @Option(
        help: ArgumentHelp("Positions of the needle in percent of the text, separated by commas.", valueName: "list"))
    var depths = list(Options().depths)
    @Option(help: ArgumentHelp("Number of prompts for each length and depth.", valueName: "n"))
    var samples = Options().samples
    @Option(help: ArgumentHelp("Number of digits of each magic number.", valueName: "n"))
    var digits = Options().digits
    @Option(help: ArgumentHelp("Maximum number of tokens of a reply, including reasoning.", valueName: "n"))
    var maxTokens = Options().replyTokens
    @Option(help: ArgumentHelp("Number of concurrent requests.", valueName: "n"))
    var concurrency = Options().concurrency
    @Option(help: ArgumentHelp("Maximum time for one reply in seconds.", valueName: "n"))
    var timeout = 600
    @Option(
        parsing: .unconditional, help: ArgumentHelp("Random seed of the prompts, from 0.", valueName: "n"))
    var seed: UInt64 = 0
    @Option(help: ArgumentHelp("Write the results to this file as JSON.", valueName: "file"))
    var json: String?
    @Option(help: ArgumentHelp("Write a heat map to this file as SVG.", valueName: "file"))
    var svg: String?

    func validate() throws {
        _ = try checkedOptions()
        if let json { try OutputPath.check(json, "--json") }
        if let svg { try OutputPath.check(svg, "--svg") }
    }

    func run() throws {
        let environment = ProcessInfo.processInfo.environment
        var server = NeedleEvaluation.Server(url: url, model: model, apiKey: try key(environment))
        server.timeout = .seconds(timeout)
        // Checked before the requests, which may take an hour.
        for path in [json, svg].compactMap(\.self) { try checkWritable(path) }
        StopSignal.install()
        let evaluation: NeedleEvaluation
        do {
            evaluation = try NeedleEvaluation(
                server, options: checkedOptions(), environment: environment, mustStop: { StopSignal.isReceived })
        } catch {
            throw StopSignal.isReceived ? ExitCode(130) : error
        }
        let meter = ProgressMeter("asking")
        let report = evaluation.run { meter.update($0) }
        meter.finish()
        for line in report.lines { print(line) }
        if let json { try write(report.json + "\n", to: json) }
        if let svg { try write(report.heatMap, to: svg) }
        if StopSignal.isReceived { throw ExitCode(130) }
        if report.replies == 0 { throw ExitCode.failure }
    }

    private func checkedOptions() throws -> NeedleEvaluation.Options {
        var options = Options()
        options.lengths = try Self.numbers(lengths, "--lengths", in: Options.lengthRange)
        options.depths = try Self.numbers(depths, "--depths", in: Options.depthRange)
        options.samples = try Self.checked(samples, "--samples", in: Options.sampleRange)
        options.digits = try Self.checked(digits, "--digits", in: Options.digitRange)
        options.replyTokens = try Self.checked(maxTokens, "--max-tokens", in: Options.replyRange)
        options.concurrency = try Self.checked(concurrency, "--concurrency", in: Options.concurrencyRange)
        _ = try Self.checked(timeout, "--timeout", in: 1...86_400)
        options.seed = seed
        guard options.lengths.allSatisfy({ $0 > options.replyTokens }) else {
            throw ValidationError("--max-tokens must be less than each of --lengths")
        }
        return options
    }

    private func key(_ environment: [String: String]) throws -> String? {
        guard let key = apiKey ?? environment["OPENAI_API_KEY"], !key.isEmpty else { return nil }
        guard key.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw ValidationError("the API key must be printable ASCII without spaces")
        }
        return key
    }

    private func checkWritable(_ path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw ToolError.argument("cannot write \(path): \(String(cString: strerror(errno)))")
        }
        close(descriptor)
    }

    private func write(_ text: String, to path: String) throws {
        do {
            try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        } catch {
            throw ToolError.argument("cannot write \(path): \(error.localizedDescription)")
        }
    }

    private static func list(_ numbers: [Int]) -> String { numbers.map(String.init).joined(separator: ",") }

    private static func numbers(_ text: String, _ name: String, in range: ClosedRange<Int>) throws -> [Int] {
        let numbers = text.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
        guard numbers.allSatisfy({ $0.map(range.contains) == true }), Set(numbers).count == numbers.count else {
            throw ValidationError(
                "\(name) must be different numbers from \(range.lowerBound) to \(range.upperBound), such as "
                    + "\(range.lowerBound),\(range.lowerBound * 2 + 10)")
        }
        return numbers.compactMap(\.self)
    }

    private static func checked(_ number: Int, _ name: String, in range: ClosedRange<Int>) throws -> Int {
        guard range.contains(number) else {
            throw ValidationError("\(name) must be \(range.lowerBound) to \(range.upperBound); got \(number)")
        }
        return number
    }
}
