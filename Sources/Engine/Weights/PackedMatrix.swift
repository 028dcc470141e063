import Checkpoints
import KernelInterface

/// A weight matrix (rows, columns) = (out, in) in the kernels' format: blocks of 16 rows, padded with zeros.
///
/// Weights stay as small as in the checkpoint, because codes are decoded in registers. Only float16 is converted, to float32. Every
/// matrix that is not quantized in groups has scales, which are 1 if the format has none.
///
/// The memory of each NUMA node of the pool holds a part of the rows, determined by ``NodePlan/blocks(of:count:unit:first:)``.
final class PackedMatrix {
    let rows: Int
    let columns: Int
    let format: Format
    /// The number of bytes in memory, including scales.
    let bytes: Int
    private let firstNode: Int
    /// The number of adjacent blocks that stay on one node.
    private let unit: Int
    /// The parts in ascending order of rows, freed by `deinit`.
    private let parts: UnsafeMutableBufferPointer<Part>
    /// The pieces of memory, which keep the memory of the parts alive.
    private let pieces: [WeightMemory.Piece]

    enum Format: Hashable {
        case numbers(WeightFormat)
        case quantized(QuantizedFormat)
    }

    /// The rows of some blocks as a matrix of its own. It has only numbers and pointers, because threads that share a matrix would
    /// otherwise contend for its reference count.
    fileprivate struct Part {
        let blocks: Range<Int>
        let lines: UnsafeMutableRawPointer
        /// (row blocks, scaleColumns, scaleRows), or the row factors of a quantized matrix.
        let scales: UnsafeMutablePointer<Float>
        let contents: PackedContents

        var firstRow: Int { blocks.lowerBound * 16 }

        /// Returns the blocks of `range` that are in this part, counted from its first block. The result is empty if there are
        /// none.
        func own(_ range: Range<Int>) -> Range<Int> {
            let own = range.clamped(to: blocks)
            return own.lowerBound - blocks.lowerBound..<own.upperBound - blocks.lowerBound
        }
    }

    /// Allocates the memory of `weight`. ``pack(_:pool:kernels:)`` fills it.
    ///
    /// - Parameters:
    ///   - memory: The memory of `nodes`.
    ///   - firstNode: The node with the first rows, modulo the number of nodes.
    ///   - isEncoded: Whether the slices that compute the product also encode its results as integers, if the matrix is quantized.
    ///     Nodes then have whole segments.
    init(_ weight: LinearWeight, memory: WeightMemory, nodes: NodePlan, firstNode: Int = 0, isEncoded: Bool = false) {
        rows = weight.rows
        columns = weight.columns
        self.firstNode = firstNode
        let layout = Layout(weight)
        format = layout.format
        let count = (weight.rows + 15) / 16
        unit = isEncoded && layout.isQuantized ? IntegerRowLayout.segmentColumns / 16 : 2
        var (parts, pieces, bytes) = ([Part](), [WeightMemory.Piece](), 0)
        for node in nodes.nodes.indices {
            let blocks = nodes.blocks(of: node, count: count, unit: unit, first: firstNode)
            guard !blocks.isEmpty else { continue }
            let rows = min(blocks.upperBound * 16, weight.rows) - blocks.lowerBound * 16
            let lines = memory.allocate(layout.bytes(rows: rows), node: node)
            let scales = memory.allocate(layout.scaleBytes(blocks: blocks.count), node: node)
            pieces += [lines, scales]
            bytes += layout.bytes(rows: rows) + layout.scaleBytes(blocks: blocks.count)
            let factors = scales.base.bindMemory(to: Float.self, capacity: layout.scaleBytes(blocks: blocks.count) / 4)
            parts.append(
                Part(
                    blocks: blocks, lines: lines.base, scales: factors,
                    contents: layout.contents(lines.base, factors, rows: rows)))
        }
        parts.sort { $0.blocks.lowerBound < $1.blocks.lowerBound }
        self.parts = .allocate(capacity: parts.count)
        _ = self.parts.initialize(from: parts)
        self.pieces = pieces
        self.bytes = bytes
    }

    /// Packs weights into their matrices on the pool's threads. The threads of a node touch its parts first.
    static func pack(_ matrices: [(matrix: PackedMatrix, weight: LinearWeight)], pool: WorkerPool, kernels: KernelTable)
    {
        let layouts = matrices.map { Layout($0.weight) }
        let slices = matrices.map { matrix, _ in
            WorkerPool.Divisible(
                blocks: matrix.blocks, cost: 16 * matrix.columns, unit: matrix.unit, firstNode: matrix.firstNode)
        }
        withExtendedLifetime(matrices) {
            pool.forEachSlice(of: slices) { job, slice in
                let (matrix, weight) = matrices[job]
                for part in matrix.parts { part.pack(part.own(slice), of: weight, layouts[job], kernels.family) }
            }
        }
    }

    deinit { parts.deallocate() }

    var blocks: Int { (rows + 15) / 16 }

    /// The average number of bytes of a row.
    var bytesPerRow: Int { bytes / max(blocks * 16, 1) }

    /// Whether products take activations encoded as integers.
    var isQuantized: Bool {
        if case .quantized = format { true } else { false }
    }

    /// The matrix in the form that products use.
    var view: View { View(parts: UnsafeBufferPointer(parts), rows: rows, firstNode: firstNode) }

    /// Computes out (columns) = factor * the row's weights.
    func unpack(row: Int, factor: Float, into out: UnsafeMutablePointer<Float>, kernels: KernelTable) {
        for part in parts where part.blocks.contains(row / 16) {
            return part.contents.unpackRow(row - part.firstRow, factor: factor, out: out, family: kernels.family)
        }
        preconditionFailure("a row of the matrix")
    }
}

extension PackedMatrix {
    /// A view of a matrix for products. Another object keeps the matrix alive. The view has only numbers and pointers, because
    /// threads that share a matrix would otherwise contend for its reference count.
    struct View {
        fileprivate let parts: UnsafeBufferPointer<Part>
        let rows: Int
        fileprivate let firstNode: Int

        var blocks: Int { (rows + 15) / 16 }

        /// Returns the blocks as work for a pool, each for the node that holds it.
        ///
        /// - Parameters:
        ///   - cost: The cost of each block, in any unit.
        ///   - unit: The number of blocks that stay in one slice.
        func slices(cost: Int = 1, unit: Int = 2) -> WorkerPool.Divisible {
            WorkerPool.Divisible(blocks: blocks, cost: cost, unit: unit, firstNode: firstNode)
        }

        /// Computes y[:, rows of the blocks] = x W^T, where x is (tokens, columns), selected by `xRows` if given, and y is (tokens,
        /// yStride).
        ///
        /// - Parameter isExact: Whether x keeps its precision in every mode, unless the matrix is quantized. x must then be encoded
        ///   with `hasExactProducts`.
        func multiply(
            _ x: MatrixRows, xRows: UnsafePointer<Int32>?, tokens: Int, into y: UnsafeMutablePointer<Float>,
            yStride: Int, blocks: Range<Int>, kernels: KernelTable, isExact: Bool = false
        ) {
            for part in parts {
                let own = part.own(blocks)
                guard !own.isEmpty else { continue }
                part.multiply(
                    x, xRows: xRows, tokens: tokens, into: y + part.firstRow, yStride: yStride, blocks: own,
                    kernels: kernels, isExact: isExact)
            }
        }
    }
}

extension PackedMatrix.Part {
    fileprivate func multiply(
        _ x: MatrixRows, xRows: UnsafePointer<Int32>?, tokens: Int, into y: UnsafeMutablePointer<Float>, yStride: Int,
        blocks: Range<Int>, kernels: KernelTable, isExact: Bool
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

    /// Packs blocks of this part, counted from its first block.
    fileprivate func pack(
        _ range: Range<Int>, of weight: LinearWeight, _ layout: PackedMatrix.Layout, _ family: any KernelFamily.Type
    ) {
        guard !range.isEmpty else { return }
        switch layout.format {
        case .numbers(let format):
            layout.spreadScales(range, firstRow: firstRow, rows: contents.rows, into: scales)
            guard let source = weight.bytes.baseAddress else { return }
            family.weights(format).pack(
                PackArguments(
                    source: source + firstRow * (weight.bytes.count / weight.rows), rows: contents.rows,
                    columns: contents.columns, firstBlock: range.lowerBound, blocks: range.count, target: lines))
        case .quantized(let format):
            guard case .quantized(let reader) = weight.format else { return }
            let source = QuantizedRows.allocate(format, columns: contents.columns)
            defer { source.deallocate() }
            for block in range {
                let rows = block * 16..<min(block * 16 + 16, contents.rows)
                reader.read(rows.lowerBound + firstRow..<rows.upperBound + firstRow, into: source)
                family.pack(
                    source, count: rows.count, block: lines + block * format.blockBytes(columns: contents.columns))
                guard format.rowFactor != .none else { continue }
                (scales + block * 16).update(from: source.rowFactors, count: rows.count)
            }
        }
    }
}

extension PackedWeights {
    fileprivate func hasWholeLines(_ format: WeightFormat) -> Bool {
        scaleColumns == 1 || scaleWidth % format.layout.lineColumns == 0
    }
}
