/// The number format of cached keys and values.
public enum CacheFormat: CaseIterable, Sendable {
    case float32
    /// Rounded to nearest, ties to even.
    case bfloat16
    /// E4M3FN, with a scale for each token's keys and one for its values in each head.
    case float8
}

/// The kernels of one family that write and read keys and values of one format.
public protocol CacheKernels: SendableMetatype {
    /// Writes one position's keys and values of all heads of a layer into its block.
    static func write(_ arguments: CacheWriteArguments)

    /// softmax(scale * q k^T) v, not yet divided by its sum, over positions of one segment, for the query heads that share one
    /// key-value head.
    static func attend(_ arguments: AttentionArguments)

    /// The same with the query and the weights of the values rounded to bfloat16, if that is faster; otherwise without
    /// rounding.
    static func attendRounded(_ arguments: AttentionArguments)
}

extension CacheKernels {
    /// The default, if rounding is not faster.
    public static func attendRounded(_ arguments: AttentionArguments) {
        attend(arguments)
    }
}

/// One position's keys and values, and where to write them.
public struct CacheWriteArguments {
    /// (heads, headDimension)
    public let keys: UnsafePointer<Float>
    public let values: UnsafePointer<Float>
    public let heads: Int
    public let headDimension: Int
    /// The layer's part of the block: for each head keys (headDimension, 16), then values (16, headDimension), in float8
    /// then the scales of keys (16) and of values (16).
    public let block: UnsafeMutableRawPointer
    /// The index in the block, 0 ..< 16.
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
    /// The start of this layer's and head's keys in block 0; see ``CacheWriteArguments/block``.
    public let cache: UnsafeRawPointer
    /// Bytes from block to block.
    public let blockBytes: Int
    /// The block of logical block s at `table[s * tableStride]`.
    public let table: UnsafePointer<Int32>
    public let tableStride: Int
    /// The visible positions of the segment, `start ..< end`; not empty.
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
