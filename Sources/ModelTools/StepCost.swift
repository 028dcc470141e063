import Checkpoints
import Engine
import Foundation

/// The minimum memory traffic and arithmetic of a step, computed from the model's shape.
struct StepCost {
    private let config: ModelConfig
    private let linearSize: Double
    private let lmHeadSize: Double
    private let sensitiveSize: Double
    private let cacheType: KVDataType

    /// - Parameters:
    ///   - linearSize: the average bytes per element of a linear layer in memory; exactly 1 means FP8, which has separate scales.
    ///   - lmHeadSize: the bytes per element of the LM head, if it is not tied to the embeddings.
    ///   - sensitiveSize: the bytes per element of embeddings and routers.
    init(
        config: ModelConfig, linearSize: Double, lmHeadSize: Double, sensitiveSize: Double, cacheType: KVDataType
    ) {
        self.config = config
        self.linearSize = linearSize
        self.lmHeadSize = lmHeadSize
        self.sensitiveSize = sensitiveSize
        self.cacheType = cacheType
    }

    /// The bytes of weights that one token reads: all but the experts to which it is not routed, and only one row of the
    /// embeddings.
    var activeBytesPerToken: Int { Int(weightBytes(tokens: 1)) }

    /// Returns the bytes that a decode step reads: the weights, and the keys and values that each sequence attends to. The number
    /// of experts per layer is the average for tokens that choose experts independently and uniformly.
    func decodeBytes(sequences: Int, context: Int) -> Double {
        let perKey = config.keyValueHeads * cacheType.bytesPerToken(headDimension: config.headDimension)
        let keys = config.layerTypes.reduce(0) { sum, type in
            sum + (type == .full ? context : min(context, config.slidingWindow))
        }
        return weightBytes(tokens: sequences) + Double(sequences * keys * perKey)
    }

    /// Returns the operations of a prompt's prefill: two for each weight that a token uses, four for each element of a query and
    /// each key that it attends to, and those of the LM head for the last token.
    func prefillOperations(tokens: Int) -> Double {
        let active = WeightTally(
            config, .init(experts: config.expertsPerToken, hasEmbeddings: false, hasLMHead: false))
        let matrices = 2 * Double(active.linear + active.sensitive) * Double(tokens)
        let lmHead = 2 * Double(config.vocabularySize * config.hiddenSize)
        let pairs = config.layerTypes.reduce(0) { sum, type in
            let window = type == .full ? tokens : min(config.slidingWindow, tokens)
            // The first queries attend to fewer keys than the window holds.
            return sum + window * (window + 1) / 2 + (tokens - window) * window
        }
        return matrices + lmHead + 4 * Double(config.attentionHeads * config.headDimension) * Double(pairs)
    }

    private func weightBytes(tokens: Int) -> Double {
        func bytes(experts: Int) -> Double {
            let tally = WeightTally(config, .init(experts: experts, hasEmbeddings: false))
            return Double(
                tally.bytes(linearSize: linearSize, lmHeadSize: lmHeadSize, sensitiveSize: sensitiveSize).total)
        }
        let missed = pow(1 - Double(config.expertsPerToken) / Double(config.experts), Double(tokens))
        let touched = Double(config.experts) * (1 - missed)
        let rows = Double(tokens * config.hiddenSize) * sensitiveSize
        return bytes(experts: 0) + (bytes(experts: 1) - bytes(experts: 0)) * touched + rows
    }
}
