import Checkpoints
import Engine
import JSON

/// How long a step took, and how much it computed. Not part of ``StepReport``, which is equal for equal steps.
public struct StepTiming: Sendable {
    public var seconds = StepSeconds()
    public var tokens = 0
    /// Multiplications and additions of products and attention.
    public var operations = 0.0
    /// Operations that the threads can do in a second, by bfloat16 products in registers if the CPU has them.
    public var peakRate = 0.0

    public var tokensPerSecond: Double { Double(tokens) / seconds.total }
    public var operationRate: Double { operations / seconds.total }
    public var shareOfPeak: Double { operationRate / peakRate }

    /// Its members in a line of the run's log.
    func write(to line: inout JSONObject) {
        line["seconds"] = .double(seconds.total)
        line["seconds_loader"] = .double(seconds.loader)
        line["seconds_forward"] = .double(seconds.forward)
        line["seconds_backward"] = .double(seconds.backward)
        line["seconds_optimizer"] = .double(seconds.optimizer)
        line["tokens_per_second"] = .double(tokensPerSecond)
        line["gflops"] = .double(operationRate / 1e9)
        line["share_of_peak"] = .double(shareOfPeak)
    }
}

/// Counts the operations of a step: of products forward and backward, of attention over visible keys with scores computed twice,
/// and of Muon. Element-wise work is not counted.
struct OperationCount {
    private let config: ModelConfig
    /// Weights that multiply each token, without the head.
    private let activeWeights: Int
    private let optimizer: Double

    init(_ config: ModelConfig, _ layout: ParameterLayout) {
        self.config = config
        let hidden = config.hiddenSize
        let attention = hidden * config.headDimension * (3 * config.attentionHeads + 2 * config.keyValueHeads)
        let experts = config.expertsPerToken + config.sharedExperts
        let sparse = hidden * (3 * config.expertIntermediateSize * experts + config.experts)
        activeWeights =
            config.layers * attention + config.denseLayers * 3 * hidden * config.intermediateSize
            + (config.layers - config.denseLayers) * sparse
        optimizer = layout.parameters.filter { $0.kind == .matrix }.reduce(0) { sum, parameter in
            let (short, long) = (
                Double(min(parameter.rows, parameter.columns)), Double(max(parameter.rows, parameter.columns))
            )
            return sum + 5 * (4 * short * short * long + 2 * short * short * short)
        }
    }

    func step(_ batches: [PackedBatch]) -> Double { batches.reduce(optimizer) { $0 + gradients($1) } }

    private func gradients(_ batch: PackedBatch) -> Double {
        let targets = batch.targetWeights.reduce(0) { $0 + ($1 > 0 ? 1 : 0) }
        let products =
            Double(batch.tokens) * Double(activeWeights)
            + Double(targets) * Double(config.vocabularySize * config.hiddenSize)
        let keys = config.layerTypes.reduce(0.0) { sum, type in
            sum
                + batch.pieces.reduce(0) {
                    $0 + visibleKeys($1.count, window: type == .sliding ? config.slidingWindow : nil)
                }
        }
        return 6 * products + 14 * Double(config.attentionHeads * config.headDimension) * keys
    }

    /// The sum over the queries of a piece.
    private func visibleKeys(_ count: Int, window: Int?) -> Double {
        let seen = min(window ?? count, count)
        return Double(seen) * Double(seen + 1) / 2 + Double(count - seen) * Double(seen)
    }
}
