import KernelInterface

/// A format whose 64-byte lines hold the codes of `lineColumns` columns of 16 rows, and whose scales are stored separately.
///
/// A format defines the position and the value of a code. Packing, unpacking and a product by decoded panels are derived from these
/// in every family. A family can replace them with faster ones.
protocol LineFormat: WeightKernels {
    static var lineColumns: Int { get }

    /// The number of bytes of an element of a checkpoint.
    static var elementBytes: Int { get }

    /// Returns the offset in bytes of a row's code in a packed block of 16 rows.
    static func offset(row: Int, column: Int) -> Int

    /// Stores the code of a checkpoint's element, or that of zero for `nil`.
    static func storeCode(_ element: UnsafeRawPointer?, _ code: UnsafeMutableRawPointer)

    /// Returns the value of a code for a scale of 1.
    static func value(_ code: UnsafeRawPointer) -> Float

    /// Whether codes must be decoded before they are multiplied. Otherwise lines are columns of 16 floats.
    static var isDecoded: Bool { get }

    /// Decodes `count` lines to float32, (lineColumns * count, 16).
    static func decode(_ lines: UnsafeRawPointer, _ count: Int, _ panel: UnsafeMutablePointer<Float>)
}

extension LineFormat {
    public static var layout: WeightLayout { WeightLayout(lineColumns: lineColumns) }
    public static var activations: ActivationFormat { .float32 }
    static var isDecoded: Bool { true }

    /// Returns the number of bytes of a block of 16 rows.
    @inline(__always)
    static func blockBytes(columns: Int) -> Int { (columns + lineColumns - 1) / lineColumns * 64 }

    /// Packs all columns, one element at a time.
    public static func pack(_ arguments: PackArguments) {
        let firstRow = arguments.firstBlock * 16
        packElements(arguments, rows: firstRow..<firstRow + arguments.blocks * 16, from: 0)
    }

    /// Packs the columns from `firstColumn` on, row by row and element by element. Elements beyond the matrix become zeros.
    static func packElements(_ arguments: PackArguments, rows packed: Range<Int>, from firstColumn: Int) {
        let (rows, columns) = (arguments.rows, arguments.columns)
        let padded = (columns + lineColumns - 1) / lineColumns * lineColumns
        var r = packed.lowerBound
        while r < packed.upperBound {
            let block = arguments.target + r / 16 * blockBytes(columns: columns)
            let source = arguments.source + r * columns * elementBytes
            var k = firstColumn
            while k < padded {
                let isInside = r < rows && k < columns
                storeCode(isInside ? source + k * elementBytes : nil, block + offset(row: r % 16, column: k))
                k += 1
            }
            r += 1
        }
    }

    /// Unpacks a row, column by column.
    public static func unpackRow(
        _ weights: PackedWeights, row: Int, factor: Float, out: UnsafeMutablePointer<Float>
    ) {
        let columns = weights.columns
        let block = weights.lines + row / 16 * blockBytes(columns: columns)
        let scales = weights.scales + row / 16 * weights.scaleColumns * weights.scaleRows + row % weights.scaleRows
        var k = 0
        while k < columns {
            let scale = scales[k / weights.scaleWidth * weights.scaleRows]
            out[k] = value(block + offset(row: row % 16, column: k)) * scale * factor
            k += 1
        }
    }

    static func decode(_ lines: UnsafeRawPointer, _ count: Int, _ panel: UnsafeMutablePointer<Float>) {
        var k = 0
        while k < count * lineColumns {
            var r = 0
            while r < 16 {
                panel[k * 16 + r] = value(lines + offset(row: r, column: k))
                r += 1
            }
            k += 1
        }
    }
}
