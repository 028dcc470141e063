import KernelInterface

/// The activations of matrix products: rows in float32 and, if the kernels need it, the same rows encoded.
struct MatrixRows {
    let values: UnsafeMutablePointer<Float>
    /// The stride between rows in floats.
    let valueStride: Int
    /// The encoded rows, or `nil` if products take float32.
    let encoded: UnsafeMutablePointer<UInt16>?
    /// The stride between encoded rows in elements. The rounding errors of a row begin in its middle.
    let encodedStride: Int
    /// The rows encoded as integers for quantized weights, or `nil` if the model has none.
    let integers: UnsafeMutableRawPointer?
    let integerLayout: IntegerRowLayout

    /// Encodes the columns `columns` of rows that have `width` columns. No other thread may write them at the same time.
    ///
    /// Integers are encoded in segments of 128 columns. If `columns` does not consist of whole segments, this function encodes no
    /// integers, and ``encodeIntegers(rows:segments:kernels:)`` must do it.
    ///
    /// - Parameter hasExactProducts: Whether a product reads the rounding errors even if `kernels` rounds activations.
    func encode(
        rows: Range<Int>, columns: Range<Int>, width: Int, kernels: KernelTable, hasExactProducts: Bool = false
    ) {
        if Self.areSegments(columns, width: width) {
            let segment = IntegerRowLayout.segmentColumns
            let segments = columns.lowerBound / segment..<(columns.upperBound + segment - 1) / segment
            encodeIntegers(rows: rows, segments: segments, kernels: kernels)
        }
        guard kernels.family.encodesActivations, let encoded else { return }
        // Kernels read whole groups of 4 columns.
        let padding = columns.upperBound == width ? (4 - width % 4) % 4 : 0
        let hasErrors = hasExactProducts || !kernels.roundsActivations
        for row in rows {
            kernels.family.encode(
                source: values + row * valueStride + columns.lowerBound, count: columns.count, padding: padding,
                target: encoded + row * encodedStride + columns.lowerBound,
                lowOffset: hasErrors ? encodedStride / 2 : nil)
        }
    }

    /// Returns whether the columns are whole integer segments of a row. The last segment may end with the row.
    static func areSegments(_ columns: Range<Int>, width: Int) -> Bool {
        let segment = IntegerRowLayout.segmentColumns
        return columns.lowerBound % segment == 0 && (columns.upperBound % segment == 0 || columns.upperBound == width)
    }

    /// Encodes segments of rows as integers. The default is all segments.
    func encodeIntegers(rows: Range<Int>, segments: Range<Int>? = nil, kernels: KernelTable) {
        guard let integers else { return }
        for row in rows {
            kernels.family.encode(
                source: values + row * valueStride, segments: segments ?? 0..<integerLayout.segments,
                layout: integerLayout, target: integers + row * integerLayout.bytes)
        }
    }
}

/// The memory that backs `MatrixRows`.
final class MatrixRowsBuffer {
    private let values: Buffer<Float>
    private let encoded: Buffer<UInt16>
    private let integers: Buffer<UInt8>
    private let kernels: KernelTable

    /// - Parameter shapes: The rows and widths of all parts that are in use at the same time.
    init(_ shapes: [(rows: Int, width: Int)], kernels: KernelTable) {
        self.kernels = kernels
        values = Buffer(count: shapes.reduce(0) { $0 + $1.rows * $1.width })
        encoded = Buffer(count: shapes.reduce(0) { $0 + $1.rows * kernels.encodedStride(width: $1.width) })
        integers = Buffer(count: shapes.reduce(0) { $0 + $1.rows * kernels.integerStride(width: $1.width) })
    }

    /// Returns the number of bytes that `init` allocates.
    static func bytes(_ shapes: [(rows: Int, width: Int)], kernels: KernelTable) -> Int {
        shapes.reduce(0) {
            $0 + $1.rows
                * (4 * $1.width + 2 * kernels.encodedStride(width: $1.width) + kernels.integerStride(width: $1.width))
        }
    }

    /// Returns the part that starts after `before` rows of width `beforeWidth`.
    func rows(width: Int, behind before: Int = 0, of beforeWidth: Int = 0) -> MatrixRows {
        MatrixRows(
            values: values.base + before * beforeWidth, valueStride: width,
            encoded: kernels.family.encodesActivations
                ? encoded.base + before * kernels.encodedStride(width: beforeWidth) : nil,
            encodedStride: kernels.encodedStride(width: width),
            integers: kernels.encodesIntegers
                ? UnsafeMutableRawPointer(integers.base + before * kernels.integerStride(width: beforeWidth)) : nil,
            integerLayout: IntegerRowLayout(columns: width, terms: kernels.integerTerms))
    }
}

extension KernelTable {
    /// Returns the number of elements of an encoded row. If the width is a multiple of 64, the row is never a multiple of 4 KB:
    /// otherwise the same columns of several rows, which a product reads together, would map to the same cache sets.
    func encodedStride(width: Int) -> Int {
        family.encodesActivations ? 2 * ((width + 31) / 32 * 32 + 32) : 0
    }

    /// Returns the number of bytes of a row encoded as integers.
    func integerStride(width: Int) -> Int {
        encodesIntegers ? IntegerRowLayout(columns: width, terms: integerTerms).bytes : 0
    }
}
