import Checkpoints
import Scheduling

/// The layout of a model's keys and values in the blocks of the cache; see `KVCacheGeometry` for parts and logical blocks.
///
/// A block is (layersPerPart, keyValueHeads, keys (headDimension, 16) then values (16, headDimension), in fp8 then their
/// scales). In the keys the 16 tokens are adjacent, so that one vector holds the scores of a block.
public struct KVCacheLayout: Sendable, Equatable {
    /// Tokens per logical block.
    public static let blockSize = 16

    public let dataType: KVDataType
    public let keyValueHeads: Int
    public let headDimension: Int
    /// Layers whose keys and values share a block: the greatest common divisor of the groups' sizes.
    public let layersPerPart: Int
    public let globalBlocksPerLogicalBlock: Int
    public let slidingBlocksPerLogicalBlock: Int
    public let slidingWindow: Int
    /// Where each layer's keys and values are.
    let places: [Place]

    struct Place: Sendable, Equatable {
        /// The part of its group.
        var part: Int
        /// The index of the layer within the part.
        var index: Int
    }

    public init(config: ModelConfig, dataType: KVDataType) {
        self.dataType = dataType
        keyValueHeads = config.keyValueHeads
        headDimension = config.headDimension
        slidingWindow = config.slidingWindow
        let globalLayers = config.layerTypes.count { $0 == .full }
        let slidingLayers = config.layers - globalLayers
        let layersPerPart = greatestCommonDivisor(globalLayers, slidingLayers)
        self.layersPerPart = layersPerPart
        globalBlocksPerLogicalBlock = globalLayers / layersPerPart
        slidingBlocksPerLogicalBlock = slidingLayers / layersPerPart
        var seen: [ModelConfig.LayerType: Int] = [:]
        places = config.layerTypes.map { type in
            let number = seen[type, default: 0]
            seen[type] = number + 1
            return Place(part: number / layersPerPart, index: number % layersPerPart)
        }
    }

    func blocksPerLogicalBlock(_ type: ModelConfig.LayerType) -> Int {
        type == .full ? globalBlocksPerLogicalBlock : slidingBlocksPerLogicalBlock
    }

    /// Bytes of one block: a part's keys and values of 16 tokens.
    public var bytesPerBlock: Int { layersPerPart * bytesPerLayer }

    var bytesPerLayer: Int { keyValueHeads * bytesPerHead }
    var bytesPerHead: Int { Self.blockSize * dataType.bytesPerToken(headDimension: headDimension) }

    /// The properties of the cache that the scheduler needs.
    public func geometry(totalBlocks: Int) -> KVCacheGeometry {
        KVCacheGeometry(
            blockSize: Self.blockSize, globalBlocksPerLogicalBlock: globalBlocksPerLogicalBlock,
            slidingBlocksPerLogicalBlock: slidingBlocksPerLogicalBlock, slidingWindow: slidingWindow,
            totalBlocks: totalBlocks)
    }
}

private func greatestCommonDivisor(_ a: Int, _ b: Int) -> Int {
    b == 0 ? a : greatestCommonDivisor(b, a % b)
}
