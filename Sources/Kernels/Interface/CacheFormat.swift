/// The number format of cached keys and values.
public enum CacheFormat: CaseIterable, Sendable {
    case float32
    /// Bfloat16, rounded to nearest, ties to even.
    case bfloat16
    /// E4M3FN. Each head has a scale for a token's keys and one for its values.
    case float8
}

/// The kernels of one family that write and read keys and values of one format.
public protocol CacheKernels: SendableMetatype {
    /// Writes the keys and values of one position, for all heads of a layer, to its block.
    static func write(_ arguments: CacheWriteArguments)

    /// Computes softmax(scale * q k^T) v, not yet divided by its sum, over the positions of one segment, for the query heads that
    /// share one key-value head.
    static func attend(_ arguments: AttentionArguments)

    /// Computes the same with the query and the weights of the values rounded to bfloat16 if that is faster, and otherwise without
    /// rounding.
    static func attendRounded(_ arguments: AttentionArguments)
}

extension CacheKernels {
    /// The default implementation, for kernels for which rounding is not faster.
    public static func attendRounded(_ arguments: AttentionArguments) {
        attend(arguments)
    }
}

/// The keys and values of one position, and the place to write them to.
public struct CacheWriteArguments {
    /// (heads, headDimension)
    public let keys: UnsafePointer<Float>
    public let values: UnsafePointer<Float>
    public let heads: Int
    public let headDimension: Int
    /// The layer's part of the block. For each head, it has keys (headDimension, 16), then values (16, headDimension), followed in
    /// float8 by the scales of keys (16) and of values (16).
    public let block: UnsafeMutableRawPointer
    /// The index of the token in the block, in 0 ..< 16.
    public let token: Int

    public init(
        keys: UnsafePointer<Float>, values: UnsafePointer<Float>, heads: Int, headDimension: Int,
        block: UnsafeMutableRawPointer, token: Int
    ) {
        self.keys = keys
        self.values = values
        self.heads = heads
        self.headDimension = headDimension
        self.block = block
        self.token = token
    }
}

/// One query row of the heads that share keys and values, and a segment of the paged cache.
public struct AttentionArguments {
    /// (heads, headDimension)
    public let query: UnsafePointer<Float>
    public let heads: Int
    public let headDimension: Int
    /// The start of the keys of this layer and head in block 0. See ``CacheWriteArguments/block``.
    public let cache: UnsafeRawPointer
    /// The stride between blocks in bytes.
    public let blockBytes: Int
    /// The block table. The block of logical block s is at `table[s * tableStride]`.
    public let table: UnsafePointer<Int32>
    public let tableStride: Int
    /// The visible positions of the segment, `start ..< end`. The range is not empty.
    public let start: Int
    public let end: Int
    /// The factor of the scores.
    public let scale: Float
    /// The output: values (heads, headDimension), then each head's largest score, then each head's sum.
    public let partial: UnsafeMutablePointer<Float>

    public init(
        query: UnsafePointer<Float>, heads: Int, headDimension: Int, cache: UnsafeRawPointer, blockBytes: Int,
        table: UnsafePointer<Int32>, tableStride: Int, start: Int, end: Int, scale: Float,
        partial: UnsafeMutablePointer<Float>
    ) {
        self.query = query
        self.heads = heads
        self.headDimension = headDimension
        self.cache = cache
        self.blockBytes = blockBytes
        self.table = table
        self.tableStride = tableStride
        self.start = start
        self.end = end
        self.scale = scale
        self.partial = partial
    }
}
