import Checkpoints
import KernelInterface
import PortableKernels

/// A weight matrix (rows, columns) = (out, in) in the kernels' format: blocks of 16 rows, padded with zeros.
///
/// Formats stay as small as in the checkpoint: codes are decoded in registers. Only float16 is converted, to float32. Every
/// matrix that is not quantized in groups has scales, which are ones if the format has none.
final class PackedMatrix {
    let rows: Int
    let columns: Int
    let format: Format
    private let storage: WeightMemory.Piece
    private let storageBytes: Int
    /// (row blocks, scaleColumns, 16), or the row factors of a quantized matrix.
    private let scales: Buffer<Float>
    private let scaleColumns: Int
    private let scaleWidth: Int

    enum Format: Hashable {
        case numbers(WeightFormat)
        case quantized(QuantizedFormat)
    }

    /// Packs `weight` into `memory` on the pool's threads.
    init(_ weight: LinearWeight, memory: WeightMemory, pool: WorkerPool, kernels: KernelTable) {
        rows = weight.rows
        columns = weight.columns
        let blocks = (weight.rows + 15) / 16
        var grid: ScaleGrid?
        let numbers: WeightFormat
        switch weight.format {
        case .float32: numbers = .float32
        case .float16: numbers = .float16
        case .bfloat16: numbers = .bfloat16
        case .float8(let scaleGrid): (numbers, grid) = (.float8, scaleGrid)
        case .quantized(let reader):
            let quantized = reader.format
            format = .quantized(quantized)
            (scaleColumns, scaleWidth) = (1, max(weight.columns, 1))
            scales = Buffer(count: quantized.rowFactor == .none ? 0 : blocks * 16)
            storageBytes = max(quantized.bytes(rows: weight.rows, columns: weight.columns), 64)
            storage = memory.allocate(storageBytes)
            pack(reader, pool: pool, family: kernels.family)
            return
        }
        format = .numbers(numbers)
        scaleColumns = grid?.gridColumns ?? 1
        // A scale block may be wider than the matrix; the width only has to select the right scale.
        scaleWidth =
            grid.map { $0.gridColumns == 1 ? max(weight.columns, 1) : $0.blockColumns } ?? max(weight.columns, 1)
        scales = Self.spread(grid, rows: weight.rows, blocks: blocks)
        storageBytes = max(numbers.layout.bytes(rows: weight.rows, columns: weight.columns), 64)
        storage = memory.allocate(storageBytes)
        guard let source = weight.bytes.baseAddress else { return }
        let (rows, columns, target, packing) = (rows, columns, storage.base, kernels.family.weights(numbers))
        withExtendedLifetime(weight.owner) {
            pool.forEachSlice(of: blocks) { slice in
                packing.pack(
                    PackArguments(
                        source: source, rows: rows, columns: columns, firstBlock: slice.lowerBound, blocks: slice.count,
                        target: target))
            }
        }
    }

    private func pack(_ reader: any QuantizedReader, pool: WorkerPool, family: any KernelFamily.Type) {
        let (format, rows, columns, target) = (reader.format, rows, columns, storage.base)
        let (factors, blockBytes) = (scales, reader.format.blockBytes(columns: columns))
        pool.forEachSlice(of: blocks) { slice in
            let source = QuantizedRows.allocate(format, columns: columns)
            defer { source.deallocate() }
            for block in slice {
                let range = block * 16..<min(block * 16 + 16, rows)
                reader.read(range, into: source)
                family.pack(source, count: range.count, block: target + block * blockBytes)
                guard format.rowFactor != .none else { continue }
                (factors.base + block * 16).update(from: source.rowFactors, count: range.count)
            }
        }
    }

    /// Bytes in memory, scales included.
    var bytes: Int { storageBytes + scales.bytes }

    var blocks: Int { (rows + 15) / 16 }

    /// Bytes of one row, on average.
    var bytesPerRow: Int { bytes / max(blocks * 16, 1) }

    /// Whether products take activations that are encoded as integers.
    var isQuantized: Bool {
        if case .quantized = format { true } else { false }
    }

    /// For products.
    var view: View { View(contents: contents) }

    private var contents: PackedContents {
        switch format {
        case .numbers(let format):
            .numbers(
                format,
                PackedWeights(
                    lines: storage.base, scales: scales.base, scaleColumns: scaleColumns, scaleWidth: scaleWidth,
                    rows: rows, columns: columns))
        case .quantized(let format):
            .quantized(
                PackedQuantizedWeights(
                    format: format, blocks: storage.base, rowFactors: scales.base, rows: rows, columns: columns))
        }
    }

    /// out (columns) = factor * the row's weights.
    func unpack(row: Int, factor: Float, into out: UnsafeMutablePointer<Float>, kernels: KernelTable) {
        precondition((0..<rows).contains(row), "a row of the matrix")
        contents.unpackRow(row, factor: factor, out: out, family: kernels.family)
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
        fileprivate let contents: PackedContents

        var rows: Int { contents.rows }
        var blocks: Int { (rows + 15) / 16 }

        /// y[:, rows of the blocks] = x W^T; x (tokens, columns), selected by `xRows` if given; y (tokens, yStride).
        ///
        /// - Parameter isExact: whether x keeps its precision in every mode, unless the matrix is quantized
        func multiply(
            _ x: MatrixRows, xRows: UnsafePointer<Int32>?, tokens: Int, into y: UnsafeMutablePointer<Float>,
            yStride: Int, blocks: Range<Int>, kernels: KernelTable, isExact: Bool = false
        ) {
            func arguments(_ x: UnsafeRawPointer, stride: Int) -> MatmulArguments {
                MatmulArguments(
                    firstBlock: blocks.lowerBound, blocks: blocks.count, x: x, xStride: stride, xRows: xRows,
                    tokens: tokens, y: y, yStride: yStride)
            }
            let floats = arguments(x.values, stride: x.valueStride)
            switch contents {
            case .numbers(let format, let weights):
                // Other families' kernels require that scales change only at the boundaries of lines.
                let kernels = weights.hasWholeLines(format) ? kernels : .portable
                let isEncoded = kernels.family.weights(format).activations == .bfloat16Pairs
                let pairs = isEncoded ? x.encoded.map { arguments($0, stride: x.encodedStride) } : nil
                kernels.multiply(format, weights, pairs ?? floats, isExact: isExact)
            case .quantized(let weights):
                let integers = x.integers.map { arguments($0, stride: x.integerLayout.bytes) }
                kernels.multiply(weights, integers ?? floats)
            }
        }
    }
}

extension PackedWeights {
    fileprivate func hasWholeLines(_ format: WeightFormat) -> Bool {
        scaleColumns == 1 || scaleWidth % format.layout.lineColumns == 0
    }
}

extension WeightFormat {
    /// The same in every family.
    var layout: WeightLayout { Portable.weights(self).layout }
}
