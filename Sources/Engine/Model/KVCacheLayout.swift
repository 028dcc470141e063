import Checkpoints
import Scheduling

/// The layout of a model's keys and values in the blocks of the cache; see `KVCacheGeometry` for parts and logical blocks.
///
/// The layers of a group take turns in its parts, so that consecutive layers, a stage, use all parts alike.
///
/// A block is (layersPerPart, keyValueHeads, keys (headDimension, 16) then values (16, headDimension), in fp8 then their
/// scales). In the keys the 16 tokens are adjacent, so that one vector holds the scores of a block.
public struct KVCacheLayout: Sendable, Equatable {
    /// Tokens per logical block.
    public static let blockSize = 16

    public let dataType: KVDataType
    public let keyValueHeads: Int
    public let headDimension: Int
    /// Layers whose keys and values share a block: in the whole model, the greatest common divisor of the groups' sizes; in a
    /// stage, the most of its layers that are in one part.
    public let layersPerPart: Int
    public let globalBlocksPerLogicalBlock: Int
    public let slidingBlocksPerLogicalBlock: Int
    public let slidingWindow: Int
    /// Where the keys and values of each layer of the stage are.
    let places: [Place]
    private let firstLayer: Int

    struct Place: Sendable, Equatable {
        /// The part of its group.
        var part: Int
        /// The index of the layer within the part.
        var index: Int
    }

    /// - Parameter stage: whose layers the blocks hold; `nil`: of all. Block numbers and parts are those of the whole model.
    public init(config: ModelConfig, dataType: KVDataType, stage: Stage? = nil) {
        self.dataType = dataType
        keyValueHeads = config.keyValueHeads
        headDimension = config.headDimension
        slidingWindow = config.slidingWindow
        let globalLayers = config.layerTypes.count { $0 == .full }
        let slidingLayers = config.layers - globalLayers
        let layersOfPart = greatestCommonDivisor(globalLayers, slidingLayers)
        globalBlocksPerLogicalBlock = globalLayers / layersOfPart
        slidingBlocksPerLogicalBlock = slidingLayers / layersOfPart
        var seen: [ModelConfig.LayerType: Int] = [:]
        var counts: [ModelConfig.LayerType: [Int]] = [
            .full: Array(repeating: 0, count: globalBlocksPerLogicalBlock),
            .sliding: Array(repeating: 0, count: slidingBlocksPerLogicalBlock),
        ]
        var places: [Place] = []
        for (layer, type) in config.layerTypes.enumerated() {
            let parts = type == .full ? globalBlocksPerLogicalBlock : slidingBlocksPerLogicalBlock
            let part = seen[type, default: 0] % parts
            seen[type, default: 0] += 1
            guard stage?.layers.contains(layer) ?? true else { continue }
            places.append(Place(part: part, index: counts[type]?[part] ?? 0))
            counts[type]?[part] += 1
        }
        self.places = places
        firstLayer = stage?.layers.lowerBound ?? 0
        layersPerPart = max(counts.values.joined().max() ?? 0, 1)
    }

    /// - Precondition: the stage has the layer.
    func place(ofLayer layer: Int) -> Place { places[layer - firstLayer] }

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
