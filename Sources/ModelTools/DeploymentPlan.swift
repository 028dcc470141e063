import Checkpoints
// Plans the memory of a model from its shape alone, without the weights.
import Engine
import Scheduling

/// The memory of a model's weights and of the KV cache of its sequences, computed from the model's shape. Activations are not
/// counted.
public struct DeploymentPlan: Sendable {
    /// The format of linear layers in memory.
    public enum Weights: String, Sendable, CaseIterable {
        case fp8, bf16, int8, int4, nvfp4

        /// As the server quantizes them in groups of columns; `nil` for the others.
        var quantization: WeightQuantization? {
            switch self {
            case .fp8, .bf16: nil
            case .int8: .int8
            case .int4: .int4(groupColumns: 32)
            case .nvfp4: .nvfp4
            }
        }
    }

    /// The tokens of one step, the server's default: blocks that leave the window are freed after the step.
    private static let stepTokens = 512

    let config: ModelConfig
    private let context: Int
    private let sequences: Int
    private let weights: Weights
    /// The size of each tensor in bytes, if weights keep their stored format.
    private let packedBytes: [String: Int]?
    private let cacheType: KVDataType

    /// - Parameters:
    ///   - context: the tokens of each sequence, 1 to 2^30.
    ///   - sequences: the number of sequences of that length that run at the same time, 1 to 2^20.
    ///   - weights: the format of the linear layers; `nil` keeps the stored format of a quantized model, and otherwise means FP8.
    /// - Throws: `ToolError.argument` for numbers outside their ranges.
    public init(
        shape: ModelShape, context: Int, sequences: Int, weights: Weights?, cacheType: KVDataType
    ) throws(ToolError) {
        guard (1...1 << 30).contains(context) else { throw .argument("--context must be a number from 1 to 2^30") }
        guard (1...1 << 20).contains(sequences) else { throw .argument("--sequences must be a number from 1 to 2^20") }
        config = shape.config
        self.context = context
        self.sequences = sequences
        self.weights = weights ?? .fp8
        packedBytes = weights == nil ? shape.packedBytes : nil
        self.cacheType = cacheType
    }

    /// The plan as lines of text.
    public var lines: [String] {
        let byKind = weightBytes
        let total = totalWeightBytes
        let cache = cacheBytes
        let sliding = config.layerTypes.count { $0 == .sliding }
        var rows = [
            ("parameters", "\(WeightTally(config).parameters)"),
            (packedBytes == nil ? "weights" : "weights, as stored", MemoryPlan.format(total)),
        ]
        if packedBytes == nil {
            rows.append(("  linear layers, \(weights.rawValue)", MemoryPlan.format(byKind.linear)))
            if weights == .fp8 { rows.append(("  their scales, f32", MemoryPlan.format(byKind.scales))) }
            if weights.quantization != nil {
                rows.append(("  LM head, int8", MemoryPlan.format(byKind.lmHead)))
                rows.append(("  embeddings, routers, bf16", MemoryPlan.format(byKind.sensitive)))
            } else {
                rows.append(
                    ("  embeddings, LM head, routers, bf16", MemoryPlan.format(byKind.sensitive + byKind.lmHead)))
            }
            rows.append(("  norms, biases, f32", MemoryPlan.format(byKind.vectors)))
        }
        rows += [
            (
                "KV cache, \(cacheType.rawValue)",
                MemoryPlan.format(cache.global + cache.sliding)
                    + ", \(sequences) \(sequences == 1 ? "sequence" : "sequences") of \(context) tokens"
            ),
            ("  \(config.layers - sliding) global layers", MemoryPlan.format(cache.global)),
            (
                "  \(sliding) sliding layers",
                MemoryPlan.format(cache.sliding)
                    + ", a window of \(config.slidingWindow) and a step of \(Self.stepTokens)"
            ),
            ("total", MemoryPlan.format(total + cache.global + cache.sliding)),
        ]
        let width = (rows.map(\.0.count).max() ?? 0) + 2
        var lines = rows.map { Self.pad($0.0, width) + $0.1 }
        if context > config.maxPositions {
            lines.append("note: the model's max_position_embeddings is \(config.maxPositions)")
        }
        return lines + ["", "Activations are not counted."]
    }

    /// Returns the bytes of a tensor without FP8 scales.
    func bytes(of tensor: ExpectedTensor) -> Int {
        if let packedBytes { return packedBytes[tensor.name, default: 0] }
        if let bytes = weights.quantization?.packedBytes(of: tensor) { return bytes }
        let elements = tensor.shape.reduce(1, *)
        return switch tensor.role {
        case .vector: 4 * elements
        case .linear: linearSize * elements
        case .lmHead, .sensitive: 2 * elements
        }
    }

    /// The bytes per element of linear layers in FP8 or BF16.
    private var linearSize: Int { weights == .fp8 ? 1 : 2 }

    /// The size of all weights in bytes.
    var totalWeightBytes: Int { packedBytes.map { $0.values.reduce(0, +) } ?? weightBytes.total }

    /// The sizes of the weights by kind, if they do not keep their stored format.
    var weightBytes: WeightTally.Bytes {
        var bytes = WeightTally(config).bytes(linearSize: Double(linearSize))
        guard weights.quantization != nil else { return bytes }
        let tensors = config.expectedTensors
        bytes.linear = tensors.reduce(0) { $0 + ($1.role == .linear ? self.bytes(of: $1) : 0) }
        bytes.lmHead = tensors.reduce(0) { $0 + ($1.role == .lmHead ? self.bytes(of: $1) : 0) }
        return bytes
    }

    /// The sizes of the KV cache in bytes, for global and for sliding layers.
    var cacheBytes: (global: Int, sliding: Int) { cacheBytes(of: nil) }

    /// Returns the sizes of the KV cache of a stage; `nil` means the whole model.
    func cacheBytes(of stage: Stage?) -> (global: Int, sliding: Int) {
        let layout = KVCacheLayout(config: config, dataType: cacheType, stage: stage)
        let geometry = layout.geometry(totalBlocks: 0)
        let global = geometry.logicalBlocks(tokens: context) * layout.globalBlocksPerLogicalBlock
        let sliding = geometry.peakBlocks(tokens: context, chunk: Self.stepTokens) - global
        return (global * layout.bytesPerBlock * sequences, sliding * layout.bytesPerBlock * sequences)
    }

    static func pad(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(width - text.count, 0))
    }
}
