import Checkpoints

/// A weight matrix (rows, columns) = (out, in) as kernels read it: blocks of 16 rows, zeros where the shape is ragged.
///
/// Formats stay as small as in the checkpoint: float8 and bfloat16 are decoded in registers. Only float16 is widened,
/// to float32. Every matrix has scales, ones where the format has none.
final class PackedMatrix {
    enum Format: Equatable {
        case float32
        case bfloat16
        case float8

        /// Columns in a line of 64 bytes.
        var lineColumns: Int {
            switch self {
            case .float32: 1
            case .bfloat16: 2
            case .float8: 4
            }
        }
    }

    let rows: Int
    let columns: Int
    let format: Format
    private let storage: UnsafeMutableRawPointer
    private let storageBytes: Int
    /// (row blocks, scaleColumns, 16)
    private let scales: Buffer<Float>
    private let scaleColumns: Int
    private let scaleWidth: Int

    /// Packs `weight` over the pool's threads.
    init(_ weight: LinearWeight, pool: WorkerPool, kernels: KernelTable) {
        rows = weight.rows
        columns = weight.columns
        let pack: KernelTable.Pack
        var grid: ScaleGrid?
        switch weight.format {
        case .float32: (format, pack) = (.float32, kernels.packFloat32)
        case .float16: (format, pack) = (.float32, kernels.packFloat16)
        case .bfloat16: (format, pack) = (.bfloat16, kernels.packBFloat16)
        case .float8(let scaleGrid):
            (format, pack) = (.float8, kernels.packFloat8)
            grid = scaleGrid
        }
        let blocks = (weight.rows + 15) / 16
        let lines = (weight.columns + format.lineColumns - 1) / format.lineColumns
        scaleColumns = grid?.gridColumns ?? 1
        // A block may be wider than the matrix; the width only has to name the right scale.
        scaleWidth =
            grid.map { $0.gridColumns == 1 ? max(weight.columns, 1) : $0.blockColumns } ?? max(weight.columns, 1)
        scales = Self.spread(grid, rows: weight.rows, blocks: blocks)
        storageBytes = max(blocks * lines * 64, 64)
        storage = .allocate(byteCount: storageBytes, alignment: 64)
        guard let source = weight.bytes.baseAddress else { return }
        let (rows, columns, storage) = (rows, columns, storage)
        withExtendedLifetime(weight.owner) {
            pool.forEachSlice(of: blocks) { slice in
                pack(source, rows, columns, slice.lowerBound, slice.count, storage)
            }
        }
    }

    deinit {
        storage.deallocate()
    }

    /// Bytes in memory, scales included.
    var bytes: Int { storageBytes + scales.bytes }

    var blocks: Int { (rows + 15) / 16 }

    /// Bytes of one row, as far as rows can be told apart.
    var bytesPerRow: Int { bytes / max(blocks * 16, 1) }

    /// For products.
    var view: View {
        View(
            rows: rows, columns: columns, format: format, storage: UnsafeRawPointer(storage), scales: scales.base,
            scaleColumns: scaleColumns, scaleWidth: scaleWidth)
    }

    /// out (columns) = factor * the row's weights.
    func unpack(row: Int, factor: Float, into out: UnsafeMutablePointer<Float>, kernels: KernelTable) {
        precondition((0..<rows).contains(row), "a row of the matrix")
        let unpackRow =
            switch format {
            case .float32: kernels.unpackRowFloat32
            case .bfloat16: kernels.unpackRowBFloat16
            case .float8: kernels.unpackRowFloat8
            }
        unpackRow(storage, scales.base, scaleColumns, scaleWidth, columns, row, factor, out)
    }

    /// The grid with one scale a row, so that a block of rows may cross the grid's borders.
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
    /// What products need of a matrix that somebody else keeps alive. Numbers and pointers alone: threads that share a
    /// matrix would otherwise wait for each other to count their references to it.
    struct View {
        let rows: Int
        let columns: Int
        let format: Format
        fileprivate let storage: UnsafeRawPointer
        fileprivate let scales: UnsafePointer<Float>
        fileprivate let scaleColumns: Int
        fileprivate let scaleWidth: Int

        var blocks: Int { (rows + 15) / 16 }

        /// y[:, rows of the blocks] = x W^T; x (tokens, columns), picked by `xRows` if given; y (tokens, yStride).
        ///
        /// - Parameter isExact: whether x keeps its precision in every mode
        func multiply(
            _ x: MatrixRows, xRows: UnsafePointer<Int32>?, tokens: Int, into y: UnsafeMutablePointer<Float>,
            yStride: Int, blocks: Range<Int>, kernels: KernelTable, isExact: Bool = false
        ) {
            var (source, stride) = (UnsafeRawPointer(x.values), x.valueStride)
            if let encoded = x.encoded, format != .float32, hasWholeLines {
                (source, stride) = (UnsafeRawPointer(encoded), x.encodedStride)
            }
            // Other sets' kernels want the borders of the scales to be borders of lines.
            let matmul = hasWholeLines ? matmul(kernels, isExact) : matmul(.portable, isExact)
            matmul(
                storage, scales, scaleColumns, scaleWidth, rows, columns, blocks.lowerBound, blocks.count, source,
                stride, xRows, tokens, y, yStride)
        }

        private func matmul(_ kernels: KernelTable, _ isExact: Bool) -> KernelTable.Matmul {
            switch format {
            case .float32: kernels.matmulFloat32
            case .bfloat16: isExact ? kernels.matmulBFloat16Exact : kernels.matmulBFloat16
            case .float8: isExact ? kernels.matmulFloat8Exact : kernels.matmulFloat8
            }
        }

        private var hasWholeLines: Bool { scaleColumns == 1 || scaleWidth % format.lineColumns == 0 }
    }
}
