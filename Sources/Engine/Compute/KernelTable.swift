/// The kernels of one instruction set, chosen once at start. What each computes is written at `Portable`'s functions,
/// which are the specification; parameters are theirs in order.
package struct KernelTable: Sendable {
    typealias Pack =
        @Sendable (
            _ source: UnsafeRawPointer, _ rows: Int, _ columns: Int, _ firstBlock: Int, _ blocks: Int,
            _ target: UnsafeMutableRawPointer
        ) -> Void
    typealias UnpackRow =
        @Sendable (
            _ weights: UnsafeRawPointer, _ scales: UnsafePointer<Float>, _ scaleColumns: Int, _ scaleWidth: Int,
            _ columns: Int, _ row: Int, _ factor: Float, _ out: UnsafeMutablePointer<Float>
        ) -> Void
    typealias Matmul =
        @Sendable (
            _ weights: UnsafeRawPointer, _ scales: UnsafePointer<Float>, _ scaleColumns: Int, _ scaleWidth: Int,
            _ rows: Int, _ columns: Int, _ firstBlock: Int, _ blocks: Int, _ x: UnsafeRawPointer, _ xStride: Int,
            _ xRows: UnsafePointer<Int32>?, _ tokens: Int, _ y: UnsafeMutablePointer<Float>, _ yStride: Int
        ) -> Void
    typealias Encode =
        @Sendable (
            _ source: UnsafePointer<Float>, _ count: Int, _ padding: Int, _ target: UnsafeMutablePointer<UInt16>,
            _ lowOffset: Int
        ) -> Void
    typealias Normalize =
        @Sendable (
            _ x: UnsafePointer<Float>, _ weight: UnsafePointer<Float>, _ out: UnsafeMutablePointer<Float>, _ rows: Int,
            _ width: Int, _ epsilon: Float
        ) -> Void
    typealias WriteCache =
        @Sendable (
            _ keys: UnsafePointer<Float>, _ values: UnsafePointer<Float>, _ heads: Int, _ headDimension: Int,
            _ block: UnsafeMutableRawPointer, _ token: Int
        ) -> Void
    typealias Attend =
        @Sendable (
            _ query: UnsafePointer<Float>, _ heads: Int, _ headDimension: Int, _ cache: UnsafeRawPointer,
            _ blockBytes: Int, _ table: UnsafePointer<Int32>, _ tableStride: Int, _ start: Int, _ end: Int,
            _ scale: Float, _ partial: UnsafeMutablePointer<Float>
        ) -> Void
    typealias MergePartials =
        @Sendable (
            _ partial: UnsafePointer<Float>, _ heads: Int, _ headDimension: Int, _ out: UnsafeMutablePointer<Float>
        ) -> Void

    /// For the log and `/version`.
    var name: String

    /// Turns rows of x into what `matmulBFloat16` and `matmulFloat8` take; `nil` where they take float32.
    var encode: Encode?

    var packFloat32: Pack
    var packFloat16: Pack
    var packBFloat16: Pack
    var packFloat8: Pack

    var unpackRowFloat32: UnpackRow
    var unpackRowBFloat16: UnpackRow
    var unpackRowFloat8: UnpackRow

    var matmulFloat32: Matmul
    var matmulBFloat16: Matmul
    var matmulFloat8: Matmul
    /// For results that decide, like a router's: activations are never rounded to bfloat16 alone.
    var matmulBFloat16Exact: Matmul
    var matmulFloat8Exact: Matmul

    var rmsNorm: Normalize
    var addRMSNorm: Normalize
    var rotate:
        @Sendable (
            _ x: UnsafeMutablePointer<Float>, _ heads: Int, _ headDimension: Int, _ cosines: UnsafePointer<Float>,
            _ sines: UnsafePointer<Float>
        ) -> Void
    var siluMultiply:
        @Sendable (
            _ gate: UnsafeMutablePointer<Float>, _ up: UnsafePointer<Float>, _ rows: Int, _ width: Int, _ stride: Int
        ) -> Void
    var sigmoidMultiply:
        @Sendable (_ x: UnsafeMutablePointer<Float>, _ gate: UnsafePointer<Float>, _ count: Int) -> Void

    var writeCacheFloat32: WriteCache
    var writeCacheBFloat16: WriteCache
    var writeCacheFloat8: WriteCache
    var attendFloat32: Attend
    var attendBFloat16: Attend
    var attendFloat8: Attend
    var mergeSegment: MergePartials
    var finishAttention: MergePartials

    var route:
        @Sendable (
            _ logits: UnsafeMutablePointer<Float>, _ bias: UnsafePointer<Float>, _ keys: UnsafeMutablePointer<Float>,
            _ tokens: Int, _ experts: Int, _ chosen: Int, _ groups: Int, _ keptGroups: Int, _ usesSoftmax: Int,
            _ normalizes: Int, _ scale: Float, _ ids: UnsafeMutablePointer<Int32>,
            _ weights: UnsafeMutablePointer<Float>
        ) -> Void
    var combineExperts:
        @Sendable (
            _ rows: UnsafePointer<Float>, _ slots: UnsafePointer<Int32>, _ weights: UnsafePointer<Float>,
            _ shared: UnsafePointer<Float>?, _ out: UnsafeMutablePointer<Float>, _ tokens: Int, _ chosen: Int,
            _ width: Int
        ) -> Void

    /// Operations in registers alone, and how many one round of them is.
    var multiply: @Sendable (_ iterations: Int) -> Float
    var operationsPerIteration: Int
}
