import ArgumentParser
import Engine
import Foundation
import ModelTools
import Server

/// `trinity bench`: measures the speed of a model on this machine.
struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure the speed of prefill and decode.",
        discussion: """
            Rates are medians of three rounds, without HTTP and sampling. They are compared with the read bandwidth and the \
            arithmetic rate of the machine, which are measured in every round with the same threads. The number of operations is \
            computed from the shape of the model; the bytes are counted.
            """)

    @OptionGroup var options: OptionArguments<EngineOptionList>
    @Option(
        help: ArgumentHelp("Context lengths for decode with one sequence, separated by commas.", valueName: "list"))
    var contexts = EngineBenchmark.defaultContexts.map(String.init).joined(separator: ",")
    @Flag(help: "Print one JSON object instead of a table.")
    var json = false
    @Flag(help: "Measure each value only once, to try out the benchmark.")
    var quick = false

    enum EngineOptionList: OptionList {
        static let options: [ServerConfiguration.Option] = [
            .model, .threads, .cpus, .numa, .quantization, .kvCacheDtype, .compute, .maxModelLen,
        ]
    }

    func validate() throws {
        _ = try configuration()
        if contextList == nil {
            throw ValidationError("--contexts must be a list of numbers from 1, such as 1024,8192")
        }
    }

    private var contextList: [Int]? {
        let numbers = contexts.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
        return numbers.allSatisfy { $0 > 0 && $0 <= 1 << 24 } ? numbers : nil
    }

    /// Returns the configuration, without the environment, so that only the command line determines what is measured.
    private func configuration() throws -> ServerConfiguration {
        try ServerConfiguration(checking: options.given, environment: [:])
    }

    func run() throws {
        var configuration = try configuration()
        try configuration.locateModel { FileHandle.standardError.write(Data("\($0)\n".utf8)) }
        if let warning = configuration.engine.limitThreads() {
            FileHandle.standardError.write(Data("warning: \(warning)\n".utf8))
        }
        let benchmark = EngineBenchmark(options: configuration.engine, contexts: contextList ?? [], isQuick: quick)
        let report = try benchmark.run { status in
            FileHandle.standardError.write(Data("\(status)\n".utf8))
        }
        if json {
            print(report.json)
            for note in report.notes { FileHandle.standardError.write(Data("note: \(note)\n".utf8)) }
        } else {
            for line in report.lines { print(line) }
        }
    }
}
