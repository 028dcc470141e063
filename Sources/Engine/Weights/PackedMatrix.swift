import Checkpoints
import KernelInterface
import PortableKernels

/// A weight matrix (rows, columns) = (out, in) in the kernels' format: blocks of 16 rows, padded with zeros.
///
/// Formats stay as small as in the checkpoint: float8 and bfloat16 are decoded in registers. Only float16 is converted, to
/// float32. Every matrix has scales, which are ones if the format has none.
final class PackedMatrix {
    let rows: Int
    let columns: Int
    let format: WeightFormat
    private let storage: WeightMemory.Piece
    private let storageBytes: Int
    /// (row blocks, scaleColumns, 16)
    private let scales: Buffer<Float>
    private let scaleColumns: Int
    private let scaleWidth: Int

    /// Packs `weight` into `memory` on the pool's threads.
    init(_ weight: LinearWeight, memory: WeightMemory, pool: WorkerPool, kernels: KernelTable) {
        rows = weight.rows
        columns = weight.columns
        var grid: ScaleGrid?
        switch weight.format {
        case .float32: format = .float32
        case .float16: format = .float16
        case .bfloat16: format = .bfloat16
        case .float8(let scaleGrid): (format, grid) = (.float8, scaleGrid)
        }
        let blocks = (weight.rows + 15) / 16
        scaleColumns = grid?.gridColumns ?? 1
        // A scale block may be wider than the matrix; the width only has to select the right scale.
        scaleWidth =
            grid.map { $0.gridColumns == 1 ? max(weight.columns, 1) : $0.blockColumns } ?? max(weight.columns, 1)
        scales = Self.spread(grid, rows: weight.rows, blocks: blocks)
        storageBytes = max(format.layout.bytes(rows: weight.rows, columns: weight.columns), 64)
        storage = memory.allocate(storageBytes)
        guard let source = weight.bytes.baseAddress else { return }
        let (rows, columns, target, packing) = (rows, columns, storage.base, kernels.family.weights(format))
        withExtendedLifetime(weight.owner) {
            pool.forEachSlice(of: blocks) { slice in
                packing.pack(
                    PackArguments(
                        source: source, rows: rows, columns: columns, firstBlock: slice.lowerBound, blocks: slice.count,
                        target: target))
            }
        }
    }

    /// Bytes in memory, scales included.
    var bytes: Int { storageBytes + scales.bytes }

    var blocks: Int { (rows + 15) / 16 }

    /// Bytes of one row, on average.
    var bytesPerRow: Int { bytes / max(blocks * 16, 1) }

    /// For products.
    var view: View { View(format: format, weights: packed) }

    private var packed: PackedWeights {
        PackedWeights(
            lines: storage.base, scales: scales.base, scaleColumns: scaleColumns, scaleWidth: scaleWidth, rows: rows,
            columns: columns)
    }

    /// out (columns) = factor * the row's weights.
    func unpack(row: Int, factor: Float, into out: UnsafeMutablePointer<Float>, kernels: KernelTable) {
        precondition((0..<rows).contains(row), "a row of the matrix")
        kernels.family.weights(format).unpackRow(packed, row: row, factor: factor, out: out)
    }

    /// The grid with one scale per row, so that a block of rows may cross the boundaries of the grid.
    private static func spread(_ grid: ScaleGrid?, rows: Int, blocks: Int) -> Buffer<Float> {
        let columns = grid?.gridColumns ?? 1
        let scales = Buffer<Float>(count: blocks * columns * 16)
        for row in 0..<rows {
            for column in 0..<columns {
                let scale = grid.map { $0.values[row / $0.blockRows * columns + column] } ?? 1
                scales.base[(row / 16 * columns + column) * 16 + row % 16] = scale
            }
        }
        return scales
    }
}

extension PackedMatrix {
    /// A matrix for products, which another object keeps alive. It has only numbers and pointers: otherwise threads that share
    /// a matrix would wait for each other to update its reference count.
    struct View {
        let format: WeightFormat
        fileprivate let weights: PackedWeights

        var rows: Int { weights.rows }
        var columns: Int { weights.columns }
        var blocks: Int { (rows + 15) / 16 }

        /// y[:, rows of the blocks] = x W^T; x (tokens, columns), selected by `xRows` if given; y (tokens, yStride).
        ///
        /// - Parameter isExact: whether x keeps its precision in every mode
        func multiply(
            _ x: MatrixRows, xRows: UnsafePointer<Int32>?, tokens: Int, into y: UnsafeMutablePointer<Float>,
            yStride: Int, blocks: Range<Int>, kernels: KernelTable, isExact: Bool = false
        ) {
            // Other families' kernels require that scales change only at the boundaries of lines.
            let kernels = hasWholeLines ? kernels : .portable
            var (source, stride) = (UnsafeRawPointer(x.values), x.valueStride)
            if let encoded = x.encoded, kernels.family.weights(format).activations == .bfloat16Pairs {
                (source, stride) = (UnsafeRawPointer(encoded), x.encodedStride)
            }
            kernels.multiply(
                format, weights,
                MatmulArguments(
                    firstBlock: blocks.lowerBound, blocks: blocks.count, x: source, xStride: stride, xRows: xRows,
                    tokens: tokens, y: y, yStride: yStride),
                isExact: isExact)
        }

        private var hasWholeLines: Bool {
            weights.scaleColumns == 1 || weights.scaleWidth % format.layout.lineColumns == 0
        }
    }
}

extension WeightFormat {
    /// The same in every family.
    var layout: WeightLayout { Portable.weights(self).layout }
}
