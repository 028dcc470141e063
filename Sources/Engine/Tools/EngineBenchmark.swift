import Foundation
import Logging
import Scheduling
import Text

/// Measures a model's prefill and decode, without HTTP and without sampling, beside the machine's own ceilings.
///
/// Contexts of decode steps are not computed: the cache is filled with numbers, which takes the kernels as long.
public struct EngineBenchmark {
    private let options: EngineOptions
    private let isQuick: Bool

    private static let prefillTokens = [128, 512, 2048]
    private static let shortContext = 128
    private static let decodes =
        [1, 4, 8, 16, 32].map { (sequences: $0, context: shortContext) }
        + [1024, 8192].map { (sequences: 1, context: $0) }

    /// - Parameter isQuick: measures everything once: for tests of the benchmark itself.
    public init(options: EngineOptions, isQuick: Bool = false) {
        self.options = options
        self.isQuick = isQuick
    }

    /// Loads the model and measures.
    ///
    /// - Parameter status: called with what is being done.
    /// - Throws: as the engine does for a model that cannot be served.
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

        let ceiling = MachineCeiling(pool: loaded.pool, isQuick: isQuick)
        status("measuring the machine")
        report.readBandwidth = ceiling.readBandwidth()
        report.matrixRate = ceiling.matrixRate(kernels: loaded.kernels)

        var driver = BenchmarkDriver(loaded: loaded, isQuick: isQuick)
        for tokens in Self.prefillTokens {
            guard driver.fits(sequences: 1, tokens: tokens) else {
                report.notes.append("no prefill of \(tokens) tokens: the model's length or the KV cache is too short")
                continue
            }
            status("prefill of \(tokens) tokens")
            let seconds = driver.prefill(tokens: tokens, chunk: options.maxBatchedTokens)
            report.prefill.append(
                BenchmarkReport.Prefill(
                    tokens: tokens, tokensPerSecond: Double(tokens) / seconds,
                    operationsPerSecond: cost.prefillOperations(tokens: tokens) / seconds))
        }
        for (sequences, context) in Self.decodes {
            guard driver.fits(sequences: sequences, tokens: context + BenchmarkDriver.maximumSteps) else {
                report.notes.append(
                    "no decode of \(sequences) at \(context): the model's length or the KV cache is too short")
                continue
            }
            status("decode of \(sequences) sequences at \(context) tokens")
            let seconds = driver.decode(sequences: sequences, context: context)
            report.decode.append(
                BenchmarkReport.Decode(
                    sequences: sequences, context: context, tokensPerSecond: Double(sequences) / seconds,
                    bytesPerSecond: cost.decodeBytes(sequences: sequences, context: context) / seconds))
        }
        // Neighbours come and go: the ceiling is the better of before and after.
        report.readBandwidth = max(report.readBandwidth, ceiling.readBandwidth())
        return report
    }

    private func stepCost(_ config: ModelConfig) throws -> StepCost {
        let tensors = try StoredTensors(directory: options.modelDirectory).tensors
        func size(_ name: String) -> Int {
            switch tensors[name]?.type {
            case .float8E4M3: 1
            // float16 is widened when it is packed.
            case .float32, .float16: 4
            default: 2
            }
        }
        let quantizes = options.weightFormat == .fp8
        return StepCost(
            config: config, linearSize: quantizes ? 1 : size("model.layers.0.self_attn.q_proj.weight"),
            headSize: quantizes ? 1 : size("lm_head.weight"), sensitiveSize: size("model.embed_tokens.weight"),
            cacheType: options.cacheType)
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
