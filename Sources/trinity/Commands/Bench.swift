import ArgumentParser
import Engine
import Foundation

/// `trinity bench`: the speed of a model on this machine.
struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure prefill and decode of a model, beside what this machine can do at most.",
        discussion: """
            Rates are medians of three rounds, without HTTP and sampling. Operations are worked out from the model's shape, \
            bytes are counted; the ceilings, read bandwidth and arithmetic in registers, are measured in every round by the \
            same threads.
            """)

    @Option(help: ArgumentHelp("Folder of the model.", valueName: "dir"))
    var model: String
    @Option(help: ArgumentHelp("Threads that compute (default: the CPUs this process may use).", valueName: "n"))
    var threads: Int?
    @Option(help: "Weights in memory: auto keeps them as stored, fp8 quantises linear layers and head at load.")
    var weights = EngineOptions.WeightFormat.auto
    @Option(help: "Type of keys and values in the cache (default: bf16 in fast mode, else f32).")
    var kvCacheDtype: KVDataType?
    @Option(
        help: "Matrix products: fast, exact, or blas (OpenBLAS, a yardstick); fast rounds activations to bfloat16.")
    var compute = EngineOptions.Compute.fast
    @Option(
        help: ArgumentHelp("Tokens behind which one sequence decodes, with commas between them.", valueName: "list"))
    var contexts = EngineBenchmark.defaultContexts.map(String.init).joined(separator: ",")
    @Option(help: ArgumentHelp("Longest sequence (default: the model's own, as far as memory allows).", valueName: "n"))
    var maxModelLen: Int?
    @Flag(help: "Print one JSON object instead of a table.")
    var json = false
    @Flag(help: "Measure everything once only, to try the benchmark itself.")
    var quick = false

    func validate() throws {
        if let threads, threads < 1 || threads > 1024 { throw ValidationError("--threads is a number from 1 to 1024") }
        if let length = maxModelLen, length < 1 { throw ValidationError("--max-model-len is at least 1") }
        if contextList == nil { throw ValidationError("--contexts is a list of numbers from 1, such as 1024,8192") }
    }

    private var contextList: [Int]? {
        let numbers = contexts.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
        return numbers.allSatisfy { $0 > 0 && $0 <= 1 << 24 } ? numbers : nil
    }

    func run() throws {
        var options = EngineOptions(modelDirectory: URL(fileURLWithPath: model))
        options.threads = threads
        options.weightFormat = weights
        options.kvCacheType = kvCacheDtype
        options.compute = compute
        options.maxModelLength = maxModelLen
        let report = try EngineBenchmark(options: options, contexts: contextList ?? [], isQuick: quick).run { status in
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

extension EngineOptions.WeightFormat: ExpressibleByArgument {}
extension EngineOptions.Compute: ExpressibleByArgument {}
