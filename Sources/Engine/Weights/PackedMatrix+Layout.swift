import Checkpoints
import KernelInterface
import PortableKernels

extension PackedMatrix {
    /// The layout of the rows of a matrix in memory.
    struct Layout {
        let format: Format
        let columns: Int
        /// The number of rows of a block with scales of their own: 16 or 1.
        let scaleRows: Int
        /// The number of scales of a row.
        let scaleColumns: Int
        /// The number of columns that share a scale.
        let scaleWidth: Int
        /// The scales of the checkpoint, or `nil` if all are 1.
        private let grid: ScaleGrid?

        init(_ weight: LinearWeight) {
            columns = weight.columns
            switch weight.format {
            case .float32: (format, grid) = (.numbers(.float32), nil)
            case .float16: (format, grid) = (.numbers(.float16), nil)
            case .bfloat16: (format, grid) = (.numbers(.bfloat16), nil)
            case .float8(let scales): (format, grid) = (.numbers(.float8), scales)
            case .quantized(let reader): (format, grid) = (.quantized(reader.format), nil)
            }
            // Blocks of 16 rows never cross the boundaries of a grid of 128 rows, the usual case.
            let isShared = grid.map { $0.blockRows % 16 == 0 || $0.values.count == $0.gridColumns } ?? true
            scaleRows = isShared ? 1 : 16
            scaleColumns = grid?.gridColumns ?? 1
            // A scale block may be wider than the matrix. The width only has to select the right scale.
            scaleWidth = grid.flatMap { $0.gridColumns == 1 ? nil : $0.blockColumns } ?? max(weight.columns, 1)
        }

        var isQuantized: Bool {
            if case .quantized = format { true } else { false }
        }

        /// Returns the number of bytes of rows without scales.
        func bytes(rows: Int) -> Int {
            switch format {
            case .numbers(let format): format.layout.bytes(rows: rows, columns: columns)
            case .quantized(let format): format.bytes(rows: rows, columns: columns)
            }
        }

        /// Returns the number of bytes of the scales or of the row factors.
        func scaleBytes(blocks: Int) -> Int {
            let count =
                switch format {
                case .numbers: scaleColumns * scaleRows
                case .quantized(let format): format.rowFactor == .none ? 0 : 16
                }
            return blocks * count * MemoryLayout<Float>.size
        }

        func contents(_ lines: UnsafeRawPointer, _ scales: UnsafePointer<Float>, rows: Int) -> PackedContents {
            switch format {
            case .numbers(let format):
                .numbers(
                    format,
                    PackedWeights(
                        lines: lines, scales: scales, scaleRows: scaleRows, scaleColumns: scaleColumns,
                        scaleWidth: scaleWidth, rows: rows, columns: columns))
            case .quantized(let format):
                .quantized(
                    PackedQuantizedWeights(
                        format: format, blocks: lines, rowFactors: scales, rows: rows, columns: columns))
            }
        }

        /// Writes the grid with the scales of each block, or of each row if blocks may cross the boundaries of the grid.
        ///
        /// - Parameters:
        ///   - blocks: The blocks of a part of the matrix.
        ///   - firstRow: The first row of the part.
        ///   - rows: The number of rows of the part.
        ///   - scales: The scales of the part.
        func spreadScales(_ blocks: Range<Int>, firstRow: Int, rows: Int, into scales: UnsafeMutablePointer<Float>) {
            for row in stride(from: blocks.lowerBound * 16, to: min(blocks.upperBound * 16, rows), by: 16 / scaleRows) {
                for column in 0..<scaleColumns {
                    let scale = grid.map { $0.values[(firstRow + row) / $0.blockRows * scaleColumns + column] } ?? 1
                    scales[(row / 16 * scaleColumns + column) * scaleRows + row % scaleRows] = scale
                }
            }
        }
    }
}

extension WeightFormat {
    /// The layout, which is the same in every family.
    var layout: WeightLayout { Portable.weights(self).layout }
}
