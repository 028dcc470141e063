/// The activations of matrix products: rows in float32 and, if the kernels need it, also encoded.
struct MatrixRows {
    let values: UnsafeMutablePointer<Float>
    /// Floats from row to row.
    let valueStride: Int
    /// `nil` if products take float32.
    let encoded: UnsafeMutablePointer<UInt16>?
    /// Elements from row to row; the second term of the row begins in the middle.
    let encodedStride: Int

    /// Encodes a part of each row, `columns` of `width`, which no other thread writes at the same time.
    func encode(rows: Range<Int>, columns: Range<Int>, width: Int, kernels: KernelTable) {
        guard kernels.family.encodesActivations, let encoded else { return }
        // Kernels read whole lines of 4 columns.
        let padding = columns.upperBound == width ? (4 - width % 4) % 4 : 0
        for row in rows {
            kernels.family.encode(
                source: values + row * valueStride + columns.lowerBound, count: columns.count, padding: padding,
                target: encoded + row * encodedStride + columns.lowerBound, lowOffset: encodedStride / 2)
        }
    }
}

/// The memory behind `MatrixRows`.
final class MatrixRowsBuffer {
    private let values: Buffer<Float>
    private let encoded: Buffer<UInt16>
    private let kernels: KernelTable

    /// - Parameter shapes: rows and width of all parts that are in use at the same time
    init(_ shapes: [(rows: Int, width: Int)], kernels: KernelTable) {
        self.kernels = kernels
        values = Buffer(count: shapes.reduce(0) { $0 + $1.rows * $1.width })
        encoded = Buffer(count: shapes.reduce(0) { $0 + $1.rows * kernels.encodedStride(width: $1.width) })
    }

    /// Bytes that `init` allocates.
    static func bytes(_ shapes: [(rows: Int, width: Int)], kernels: KernelTable) -> Int {
        shapes.reduce(0) { $0 + $1.rows * (4 * $1.width + 2 * kernels.encodedStride(width: $1.width)) }
    }

    /// The part that starts after `before` rows of width `beforeWidth`.
    func rows(width: Int, behind before: Int = 0, of beforeWidth: Int = 0) -> MatrixRows {
        MatrixRows(
            values: values.base + before * beforeWidth, valueStride: width,
            encoded: kernels.family.encodesActivations
                ? encoded.base + before * kernels.encodedStride(width: beforeWidth) : nil,
            encodedStride: kernels.encodedStride(width: width))
    }
}

extension KernelTable {
    /// Elements of an encoded row. Never a multiple of 4 KB: otherwise the same columns of several rows, which a product reads
    /// together, would map to the same cache sets.
    func encodedStride(width: Int) -> Int {
        family.encodesActivations ? 2 * ((width + 31) / 32 * 32 + 32) : 0
    }
}
