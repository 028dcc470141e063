import Checkpoints
import Engine
import Foundation
import Logging
import Scheduling

/// Measures a model's prefill and decode, without HTTP and sampling, and compares them with the machine's limits.
///
/// Other programs may use the machine at times. Therefore everything is measured in rounds that begin with the machine's limits,
/// and the medians are reported. The long contexts of decode steps are not computed: the cache is filled with constants, which
/// take the kernels the same time.
public struct EngineBenchmark {
    private let options: EngineOptions
    private let contexts: [Int]
    private let isQuick: Bool

    /// The default context lengths for decode with one sequence.
    public static let defaultContexts = [1024, 8192]
    private static let rounds = 3
    private static let prefillTokens = [128, 512, 2048]
    private static let shortContext = 128
    private static let sequences = [1, 4, 8, 16, 32]

    /// - Parameters:
    ///   - contexts: the context lengths for decode with one sequence; batches use a context of 128.
    ///   - isQuick: whether everything is measured only once, to test the benchmark itself.
    public init(options: EngineOptions, contexts: [Int] = EngineBenchmark.defaultContexts, isQuick: Bool = false) {
        self.options = options
        self.contexts = contexts
        self.isQuick = isQuick
    }

    /// Loads the model and measures it.
    ///
    /// - Parameter status: called with a description of each step.
    /// - Throws: the engine's error for a model that cannot be served.
    public func run(status: (String) -> Void = { _ in }) throws -> BenchmarkReport {
        var report = BenchmarkReport()
        let clock = ContinuousClock()
        let start = clock.now
        status("loading \(options.modelDirectory.path)")
        let logger = Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() }
        let loaded = try EngineLoader(options: options, logger: logger, progress: { _ in }).load()
        report.loadSeconds = (clock.now - start) / .seconds(1)
        report.residentBytes = Self.residentBytes()

        let config = loaded.loadedModel.config
        let cost = try stepCost(config)
        report.cpu = Self.cpuName()
        report.threads = loaded.loadedModel.threads
        report.kernels = loaded.loadedModel.kernels
        report.parameters = WeightTally(config).parameters
        report.activeBytesPerToken = cost.activeBytesPerToken

        if loaded.pool.nodes.nodes.count > 1 {
            status("measuring the memory of each NUMA node")
            report.nodes = try RooflineProbe.readBandwidthByNode(of: loaded.pool, isQuick: isQuick)
        }
        let ceiling = RooflineProbe(pool: loaded.pool, isQuick: isQuick)
        var driver = BenchmarkDriver(loaded: loaded, isQuick: isQuick)
        let prefills = Self.prefillTokens.filter { tokens in
            if driver.fits(sequences: 1, tokens: tokens) { return true }
            report.notes.append("no prefill of \(tokens) tokens: the model's length or the KV cache is too short")
            return false
        }
        let decodes = (Self.sequences.map { ($0, Self.shortContext) } + contexts.map { (1, $0) }).filter {
            (sequences, context) in
            if driver.fits(sequences: sequences, tokens: context + BenchmarkDriver.maximumSteps) { return true }
            report.notes.append(
                "no decode of \(sequences) at \(context): the model's length or the KV cache is too short")
            return false
        }

        var reads: [Double] = []
        var operations: [Double] = []
        var integers: [Double] = []
        var prefillSeconds = [[Double]](repeating: [], count: prefills.count)
        var decodeSteps = [[BenchmarkDriver.Step]](repeating: [], count: decodes.count)
        for round in 1...(isQuick ? 1 : Self.rounds) {
            status("round \(round): measuring the machine")
            reads.append(ceiling.readBandwidth())
            operations.append(ceiling.operationRate(kernels: loaded.kernels))
            if loaded.kernels.encodesIntegers { integers.append(ceiling.integerRate(kernels: loaded.kernels)) }
            for (index, tokens) in prefills.enumerated() {
                status("round \(round): prefill of \(tokens) tokens")
                prefillSeconds[index].append(driver.prefill(tokens: tokens, chunk: options.maxBatchedTokens))
            }
            for (index, (sequences, context)) in decodes.enumerated() {
                status("round \(round): decode of \(sequences) sequences at \(context) tokens")
                decodeSteps[index].append(
                    driver.decode(
                        sequences: sequences, context: context, computesContext: context == Self.shortContext))
            }
        }
        report.readBandwidth = reads.median
        report.operationRate = operations.median
        report.integerRate = integers.isEmpty ? nil : integers.median
        for (tokens, seconds) in zip(prefills, prefillSeconds) {
            report.prefill.append(
                BenchmarkReport.Prefill(
                    tokens: tokens, tokensPerSecond: Double(tokens) / seconds.median,
                    operationsPerSecond: cost.prefillOperations(tokens: tokens) / seconds.median))
        }
        for ((sequences, context), steps) in zip(decodes, decodeSteps) {
            let seconds = steps.map(\.seconds).median
            let bytes = steps.map(\.bytes).median
            report.decode.append(
                BenchmarkReport.Decode(
                    sequences: sequences, context: context, tokensPerSecond: Double(sequences) / seconds,
                    bytesPerSecond: bytes / seconds,
                    predictedShare: bytes / cost.decodeBytes(sequences: sequences, context: context)))
        }
        return report
    }

    private func stepCost(_ config: ModelConfig) throws -> StepCost {
        let checkpoint = try ModelFiles(options.modelDirectory).checkpoint(
            config, quantizing: options.quantization.weights)
        return StepCost(
            config: config, linearSize: checkpoint.packedBytesPerWeight(.linear) ?? 2,
            lmHeadSize: checkpoint.packedBytesPerWeight(.lmHead) ?? 2,
            sensitiveSize: checkpoint.packedBytesPerWeight(.sensitive) ?? 2, cacheType: options.cacheType)
    }

    private static func cpuName() -> String {
        let line = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8))?
            .split(separator: "\n").first { $0.hasPrefix("model name") }
        return line?.split(separator: ":", maxSplits: 1).last.map { $0.trimmingCharacters(in: .whitespaces) }
            ?? "unknown"
    }

    private static func residentBytes() -> Int {
        let line = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8))?
            .split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        return (line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) } ?? 0) << 10
    }
}

extension [Double] {
    /// The median, or the upper of the two middle elements; 0 if there are no elements.
    fileprivate var median: Double { isEmpty ? 0 : sorted()[count / 2] }
}
