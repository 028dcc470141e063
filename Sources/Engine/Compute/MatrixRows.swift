import KernelInterface

/// The activations of matrix products: rows in float32 and, if the kernels need it, also encoded.
struct MatrixRows {
    let values: UnsafeMutablePointer<Float>
    /// Floats from row to row.
    let valueStride: Int
    /// `nil` if products take float32.
    let encoded: UnsafeMutablePointer<UInt16>?
    /// Elements from row to row; the second term of the row begins in the middle.
    let encodedStride: Int
    /// Rows encoded as integers, for quantized weights; `nil` if the model has none.
    let integers: UnsafeMutableRawPointer?
    let integerLayout: IntegerRowLayout

    /// Encodes a part of each row, `columns` of `width`, which no other thread writes at the same time.
    ///
    /// Integers are encoded in segments of 128 columns. A part that does not consist of whole segments leaves them to
    /// ``encodeIntegers(rows:segments:kernels:)``.
    func encode(rows: Range<Int>, columns: Range<Int>, width: Int, kernels: KernelTable) {
        if Self.areSegments(columns, width: width) {
            let segment = IntegerRowLayout.segmentColumns
            let segments = columns.lowerBound / segment..<(columns.upperBound + segment - 1) / segment
            encodeIntegers(rows: rows, segments: segments, kernels: kernels)
        }
        guard kernels.family.encodesActivations, let encoded else { return }
        // Kernels read whole lines of 4 columns.
        let padding = columns.upperBound == width ? (4 - width % 4) % 4 : 0
        for row in rows {
            kernels.family.encode(
                source: values + row * valueStride + columns.lowerBound, count: columns.count, padding: padding,
                target: encoded + row * encodedStride + columns.lowerBound, lowOffset: encodedStride / 2)
        }
    }

    /// Whether columns of a row are whole segments of integers, of which the last one may end with the row.
    static func areSegments(_ columns: Range<Int>, width: Int) -> Bool {
        let segment = IntegerRowLayout.segmentColumns
        return columns.lowerBound % segment == 0 && (columns.upperBound % segment == 0 || columns.upperBound == width)
    }

    /// Encodes segments of rows as integers, all by default.
    func encodeIntegers(rows: Range<Int>, segments: Range<Int>? = nil, kernels: KernelTable) {
        guard let integers else { return }
        for row in rows {
            kernels.family.encode(
                source: values + row * valueStride, segments: segments ?? 0..<integerLayout.segments,
                layout: integerLayout, target: integers + row * integerLayout.bytes)
        }
    }
}

/// The memory behind `MatrixRows`.
final class MatrixRowsBuffer {
    private let values: Buffer<Float>
    private let encoded: Buffer<UInt16>
    private let integers: Buffer<UInt8>
    private let kernels: KernelTable

    /// - Parameter shapes: rows and width of all parts that are in use at the same time
    init(_ shapes: [(rows: Int, width: Int)], kernels: KernelTable) {
        self.kernels = kernels
        values = Buffer(count: shapes.reduce(0) { $0 + $1.rows * $1.width })
        encoded = Buffer(count: shapes.reduce(0) { $0 + $1.rows * kernels.encodedStride(width: $1.width) })
        integers = Buffer(count: shapes.reduce(0) { $0 + $1.rows * kernels.integerStride(width: $1.width) })
    }

    /// Bytes that `init` allocates.
    static func bytes(_ shapes: [(rows: Int, width: Int)], kernels: KernelTable) -> Int {
        shapes.reduce(0) {
            $0 + $1.rows
                * (4 * $1.width + 2 * kernels.encodedStride(width: $1.width) + kernels.integerStride(width: $1.width))
        }
    }

    /// The part that starts after `before` rows of width `beforeWidth`.
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
    /// Elements of an encoded row. Never a multiple of 4 KB: otherwise the same columns of several rows, which a product reads
    /// together, would map to the same cache sets.
    func encodedStride(width: Int) -> Int {
        family.encodesActivations ? 2 * ((width + 31) / 32 * 32 + 32) : 0
    }

    /// Bytes of a row that is encoded as integers.
    func integerStride(width: Int) -> Int {
        encodesIntegers ? IntegerRowLayout(columns: width, terms: integerTerms).bytes : 0
    }
}
