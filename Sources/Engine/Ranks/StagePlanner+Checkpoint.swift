import Checkpoints
import Foundation

extension StagePlanner {
    /// The number of tokens of the step whose time is divided equally: a few decodes.
    package static let typicalTokens = 8

    /// Creates a planner from the sizes of a checkpoint's weights in memory.
    init(_ checkpoint: Checkpoint, config: ModelConfig) {
        self.init(config: config, tokens: Self.typicalTokens, bytes: checkpoint.packedBytes { Place($0) })
    }

    /// Creates a planner from the shape of a model.
    ///
    /// - Parameters:
    ///   - tokens: The number of tokens of a step.
    ///   - size: A function that returns the number of bytes of a tensor in memory.
    package init(
        _ config: ModelConfig, tokens: Int = StagePlanner.typicalTokens, size: (ExpectedTensor) -> Int
    ) {
        var bytes: [Place: Int] = [:]
        for tensor in config.expectedTensors { bytes[Place(tensor.name), default: 0] += size(tensor) }
        self.init(config: config, tokens: tokens, bytes: bytes)
    }

    private init(config: ModelConfig, tokens: Int, bytes: [Place: Int]) {
        let touched = Self.touchedShare(of: config, tokens: tokens)
        self.init(
            layers: (0..<config.layers).map { layer in
                let routed = bytes[.routed(layer), default: 0]
                let other = bytes[.layer(layer), default: 0]
                return Part(bytes: routed + other, readBytes: Double(other) + touched * Double(routed))
            },
            ends: Part(
                bytes: bytes[.head, default: 0] + bytes[.embeddings, default: 0],
                readBytes: Double(bytes[config.tiesEmbeddings ? .embeddings : .head, default: 0])))
    }

    /// Returns the share of a layer's routed experts that receive a token in a step, if tokens choose independently.
    package static func touchedShare(of config: ModelConfig, tokens: Int) -> Double {
        guard config.experts > 0 else { return 1 }
        return 1 - pow(1 - Double(config.expertsPerToken) / Double(config.experts), Double(tokens))
    }

    /// The part of the model that a tensor belongs to, determined from its name.
    private enum Place: Hashable {
        case embeddings, head
        case layer(Int)
        /// The routed experts of a layer.
        case routed(Int)

        init(_ name: String) {
            let words = name.split(separator: ".")
            if words.count > 2, words[1] == "layers", let layer = Int(words[2]) {
                self = name.contains(".mlp.experts.") ? .routed(layer) : .layer(layer)
            } else {
                self = name.hasPrefix("model.embed_tokens") ? .embeddings : .head
            }
        }
    }
}
