import Checkpoints
import Scheduling

/// The layout of a model's keys and values in the blocks of the cache. See `KVCacheGeometry` for parts and logical blocks.
///
/// The layers of a group are assigned to its parts in turn, so that consecutive layers, such as those of a stage, use all parts
/// equally.
///
/// A block is (layersPerPart, keyValueHeads, keys (headDimension, 16) then values (16, headDimension), followed by their scales in
/// fp8). In the keys the 16 tokens are adjacent, so that one vector holds the scores of a block.
public struct KVCacheLayout: Sendable, Equatable {
    /// The number of tokens per logical block.
    public static let blockSize = 16

    public let dataType: KVDataType
    public let keyValueHeads: Int
    public let headDimension: Int
    /// The number of layers whose keys and values share a block. In the whole model, it is the greatest common divisor of the layer
    /// counts of the groups. In a stage, it is the maximum number of its layers in one part.
    public let layersPerPart: Int
    public let globalBlocksPerLogicalBlock: Int
    public let slidingBlocksPerLogicalBlock: Int
    public let slidingWindow: Int
    /// The place of the keys and values of each layer of the stage.
    let places: [Place]
    private let firstLayer: Int

    struct Place: Sendable, Equatable {
        /// The part of the layer's group.
        var part: Int
        /// The index of the layer within the part.
        var index: Int
    }

    /// - Parameter stage: The stage whose layers the blocks hold, or `nil` for all layers. Block numbers and parts are those of the
    ///   whole model.
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

    /// - Precondition: The stage has the layer.
    func place(ofLayer layer: Int) -> Place { places[layer - firstLayer] }

    func blocksPerLogicalBlock(_ type: ModelConfig.LayerType) -> Int {
        type == .full ? globalBlocksPerLogicalBlock : slidingBlocksPerLogicalBlock
    }

    /// The number of bytes of one block: a part's keys and values of 16 tokens.
    public var bytesPerBlock: Int { layersPerPart * bytesPerLayer }

    var bytesPerLayer: Int { keyValueHeads * bytesPerHead }
    var bytesPerHead: Int { Self.blockSize * dataType.bytesPerToken(headDimension: headDimension) }

    /// Returns the properties of the cache that the scheduler needs.
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
