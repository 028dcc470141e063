/// The kernels for one kind of CPU. A kernel module conforms once, in `Shared/Family.swift`.
///
/// Only pointers, numbers and structs of them cross this interface, because a module compiled for a newer CPU must not share
/// generic code or reference counting with other modules. Arrays are row-major. No kernel keeps a pointer.
///
/// `PortableKernels` is the specification. Every other family computes the same, up to the rounding that its `Arithmetic.swift`
/// documents. A result depends only on its own row, never on the other rows of a batch.
public protocol KernelFamily: SendableMetatype {
    /// Returns the kernels that read weights of a format.
    static func weights(_ format: WeightFormat) -> any WeightKernels.Type

    /// Returns the kernels that write and read keys and values of a format.
    static func cache(_ format: CacheFormat) -> any CacheKernels.Type

    /// Whether some products take the output of ``encode(source:count:padding:target:lowOffset:)`` instead of float32.
    static var encodesActivations: Bool { get }

    /// Rounds `count` floats to bfloat16 and writes the rounding errors at `lowOffset`, unless it is `nil`. Together they have 16
    /// bits of precision. The next `padding` elements become zeros.
    static func encode(
        source: UnsafePointer<Float>, count: Int, padding: Int, target: UnsafeMutablePointer<UInt16>, lowOffset: Int?)

    /// Encodes segments of a row of x for products with quantized weights. A segment with a NaN or an infinity makes all products
    /// of the row NaN. A segment whose largest magnitude is below 2^-100 counts as zeros.
    ///
    /// - Parameters:
    ///   - source: The whole row, (layout.columns).
    ///   - target: The encoded row, aligned to 64 bytes.
    static func encode(
        source: UnsafePointer<Float>, segments: Range<Int>, layout: IntegerRowLayout, target: UnsafeMutableRawPointer)

    /// Quantizes 16 rows in groups of columns and writes codes and scales. `Shared/Quantized/GroupQuantization.swift` documents the
    /// candidates for a scale. All families choose the same scale.
    ///
    /// - Parameters:
    ///   - numbers: The finite numbers of the rows, which are `stride` apart. Zeros complete the last group of a row.
    ///   - rows: The rows to write: `int4` with bfloat16 scales, `int8` with float16 scales, or NVFP4 with row factors that divide,
    ///     which the caller has written.
    static func quantize(_ numbers: UnsafePointer<Float>, stride: Int, into rows: QuantizedRows)

    /// Packs up to 16 rows as a block of `rows.format.blockBytes(columns:)` bytes. The scales of rows from `count` on become zeros.
    static func pack(_ rows: QuantizedRows, count: Int, block: UnsafeMutableRawPointer)

    /// Computes out (columns) = the row's exact weights, times `factor`.
    static func unpackRow(
        _ weights: PackedQuantizedWeights, row: Int, factor: Float, out: UnsafeMutablePointer<Float>)

    /// Computes y = x W^T with x encoded in integers of `terms` bytes. Strides of x are in bytes. Products of codes are summed
    /// exactly within a group. `Shared/Quantized/QuantizedProduct.swift` documents the order of the other operations.
    static func multiply(_ weights: PackedQuantizedWeights, _ arguments: MatmulArguments, terms: Int)

    /// Computes the RMS normalization of each of `rows` rows. x and out are (rows, width), and weight is (width). `out` may be `x`.
    static func rmsNorm(
        x: UnsafePointer<Float>, weight: UnsafePointer<Float>, out: UnsafeMutablePointer<Float>, rows: Int, width: Int,
        epsilon: Float)

    /// Computes residual += rmsNorm(branch). residual and branch are (rows, width), and weight is (width).
    static func addRMSNorm(
        branch: UnsafePointer<Float>, weight: UnsafePointer<Float>, residual: UnsafeMutablePointer<Float>, rows: Int,
        width: Int, epsilon: Float)

    /// Rotates the pairs (t, t + headDimension / 2) of each head by one position's angles. x is (heads, headDimension), and cosines
    /// and sines are (headDimension / 2).
    static func rotate(
        x: UnsafeMutablePointer<Float>, heads: Int, headDimension: Int, cosines: UnsafePointer<Float>,
        sines: UnsafePointer<Float>)

    /// Computes gate = silu(gate) * up. Both are (rows, width) with a stride of `stride` floats.
    static func siluMultiply(
        gate: UnsafeMutablePointer<Float>, up: UnsafePointer<Float>, rows: Int, width: Int, stride: Int)

    /// Computes x *= sigmoid(gate), elementwise over `count` floats.
    static func sigmoidMultiply(x: UnsafeMutablePointer<Float>, gate: UnsafePointer<Float>, count: Int)

    /// Merges the next segment into the result of the previous ones. Both are in the format of ``AttentionArguments/partial``.
    static func mergeSegment(
        partial: UnsafePointer<Float>, heads: Int, headDimension: Int, total: UnsafeMutablePointer<Float>)

    /// Computes out (heads, headDimension) = the values of all segments divided by their sums.
    static func finishAttention(
        total: UnsafePointer<Float>, heads: Int, headDimension: Int, out: UnsafeMutablePointer<Float>)

    /// Chooses the experts of each token and their mixing weights.
    static func route(_ arguments: RoutingArguments)

    /// Adds the results of each token's experts.
    static func combineExperts(_ arguments: CombineArguments)

    /// Runs multiplications and additions in registers only, at this family's peak rate: `iterations` rounds of `peakOperations`.
    ///
    /// - Returns: A number that depends on all operations, so that none is optimized away.
    static func peak(iterations: Int) -> Float

    /// The number of operations in one round of ``peak(iterations:)``.
    static var peakOperations: Int { get }

    /// Runs products of bytes in registers only, as with quantized weights and activations of one byte.
    static func integerPeak(iterations: Int) -> Float

    /// The number of operations in one round of ``integerPeak(iterations:)``.
    static var integerPeakOperations: Int { get }
}

extension KernelFamily {
    /// The default: no product takes encoded activations.
    public static var encodesActivations: Bool { false }

    /// The default implementation, which does nothing.
    public static func encode(
        source: UnsafePointer<Float>, count: Int, padding: Int, target: UnsafeMutablePointer<UInt16>, lowOffset: Int?
    ) {}
}
