import Engine
import Foundation
import KernelInterface

/// Causal attention within the pieces of a batch in bfloat16, by tiles of queries and blocks of keys that at least one of the
/// queries sees. Scores, softmax and all sums are float32.
struct RoundedAttention {
    /// The number of queries in a tile, an even number.
    private static let tileSize = 48
    /// The number of keys in a block, a multiple of 16.
    private static let blockSize = 128
    /// The number of queries in a job of the forward pass, a multiple of the tile size.
    private static let segmentSize = 480

    let pieces: [Range<Int>]
    let heads: Int
    let keyValueHeads: Int
    let headDimension: Int
    /// The number of visible keys, including the query's own key, or `nil` for all.
    let window: Int?
    let kernels: any TrainingKernels.Type
    let pool: WorkerPool

    private var scale: Float { 1 / Float(headDimension).squareRoot() }
    private var group: Int { heads / keyValueHeads }
    /// The row stride of a tile's sums, in floats.
    private var width: Int { headDimension.roundedUp(to: 16) }

    /// Some queries of a piece, with one key/value head.
    private struct Job {
        var queries: Range<Int>
        /// The keys that at least one query sees.
        var keys: Range<Int>
        var head: Int

        var paddedKeys: Int { keys.count.roundedUp(to: 16) }
    }

    /// - Parameter size: the number of queries in a job, or `nil` for all queries of a piece.
    private func jobs(size: Int?) -> [Job] {
        var jobs: [Job] = []
        for piece in pieces {
            for start in stride(from: piece.lowerBound, to: piece.upperBound, by: size ?? piece.count) {
                let queries = start..<min(start + (size ?? piece.count), piece.upperBound)
                // Blocks of 16 keys begin at the same places, relative to the piece, in all jobs.
                let first = window.map { max(0, start - $0 + 1 - piece.lowerBound) / 16 * 16 } ?? 0
                for head in 0..<keyValueHeads {
                    jobs.append(Job(queries: queries, keys: piece.lowerBound + first..<queries.upperBound, head: head))
                }
            }
        }
        // The longest jobs come first, so that no thread waits long for the last one.
        return jobs.sorted { $0.keys.count * $0.queries.count > $1.keys.count * $1.queries.count }
    }

    private func columns(of head: Int, in matrix: RoundedMatrix) -> RoundedMatrix {
        matrix.columns(head * headDimension..<(head + 1) * headDimension)
    }

    /// Returns the bytes of panels with one lane per key, and with one lane per column.
    private func panelBytes(_ job: Job) -> (keys: Int, columns: Int) {
        (job.paddedKeys * (headDimension + 1) / 2 * 4, job.paddedKeys * width * 2)
    }

    private func packKeys(_ matrix: RoundedMatrix, _ panels: UnsafeMutableRawPointer) -> PairFactor {
        let block = (headDimension + 1) / 2 * 64
        kernels.packColumns(matrix.source(), into: panels, block: block)
        return PairFactor(panels: panels, block: block)
    }

    /// Packs pairs of rows and pads them with zeros up to `rows`.
    private func packRows(_ matrix: RoundedMatrix, rows: Int, _ panels: UnsafeMutableRawPointer) -> PairFactor {
        let block = rows / 2 * 64
        kernels.packRows(matrix.source(), into: panels, block: block)
        let packed = (matrix.rows + 1) / 2 * 64
        if packed < block {
            for start in 0..<width / 16 {
                (panels + start * block + packed).initializeMemory(as: UInt8.self, repeating: 0, count: block - packed)
            }
        }
        return PairFactor(panels: panels, block: block)
    }

    /// Returns the blocks of keys that some queries of a job see, relative to the first key of the job.
    private func blocks(_ queries: Range<Int>, _ job: Job) -> StrideTo<Int> {
        let first = window.map { max(0, queries.lowerBound - $0 + 1 - job.keys.lowerBound) / 16 * 16 } ?? 0
        return stride(from: first, to: queries.upperBound - job.keys.lowerBound, by: Self.blockSize)
    }

    private func scores(
        _ memory: UnsafeMutablePointer<Float>, _ queries: Range<Int>, _ job: Job, key: Int
    ) -> ScoreBlock {
        let offset = queries.lowerBound - job.keys.lowerBound - key
        let columns = (queries.upperBound - job.keys.lowerBound - key).roundedUp(to: 16)
        return ScoreBlock(
            scores: memory, stride: Self.blockSize, rows: queries.count, columns: min(columns, Self.blockSize),
            first: window.map { offset - $0 + 1 } ?? 0, firstStep: window == nil ? 0 : 1, end: offset + 1, scale: scale)
    }

    private func forEachTile(of queries: Range<Int>, _ body: (Range<Int>) -> Void) {
        for start in stride(from: queries.lowerBound, to: queries.upperBound, by: Self.tileSize) {
            body(start..<min(start + Self.tileSize, queries.upperBound))
        }
    }

    /// Computes out (rows, columns) = left right^T over the columns of a head.
    private func multiply(
        _ left: RoundedMatrix, _ keys: PairFactor, key: Int, _ block: ScoreBlock,
        into out: UnsafeMutablePointer<Float>
    ) {
        var right = keys
        right.base += key / 16 * right.block
        kernels.multiply(
            PairProduct(
                left: left.factor, right: right, pairs: (headDimension + 1) / 2, out: out, outStride: block.stride,
                rows: block.rows, columns: block.columns))
    }

    /// Computes out (tokens, heads * d) and `logSums` (tokens, heads) from queries (tokens, heads * d), keys and values (tokens,
    /// keyValueHeads * d).
    func forward(
        queries: RoundedMatrix, keys: RoundedMatrix, values: RoundedMatrix, into out: RoundedMatrix,
        logSums: UnsafeMutablePointer<Float>
    ) {
        let jobs = jobs(size: Self.segmentSize)
        pool.parallelFor(chunks: jobs.count) { index in
            let job = jobs[index]
            let bytes = panelBytes(job)
            let tile = Self.tileSize * (6 * Self.blockSize + 4 * width + 8)
            Scratch.with(bytes: bytes.keys + bytes.columns + tile) { scratch in
                let keyPanels = packKeys(columns(of: job.head, in: keys).rows(job.keys), scratch.bytes(bytes.keys))
                let valuePanels = packRows(
                    columns(of: job.head, in: values).rows(job.keys), rows: job.paddedKeys, scratch.bytes(bytes.columns)
                )
                let memory = scratch.floats(Self.tileSize * Self.blockSize)
                let state = SoftmaxState(
                    maxima: scratch.floats(Self.tileSize), sums: scratch.floats(Self.tileSize),
                    values: scratch.floats(Self.tileSize * width), width: width,
                    weights: scratch.rounded(Self.tileSize, Self.blockSize).base)
                for head in job.head * group..<(job.head + 1) * group {
                    forEachTile(of: job.queries) { tile in
                        state.maxima.update(repeating: -.infinity, count: tile.count)
                        state.sums.update(repeating: 0, count: tile.count)
                        state.values.update(repeating: 0, count: tile.count * width)
                        for key in blocks(tile, job) {
                            let block = scores(memory, tile, job, key: key)
                            multiply(
                                columns(of: head, in: queries).rows(tile), keyPanels, key: key, block, into: memory)
                            kernels.softmax(block, state)
                            var right = valuePanels
                            right.base += key / 2 * 64
                            kernels.multiply(
                                PairProduct(
                                    left: PairFactor(rows: state.weights, stride: 2 * Self.blockSize), right: right,
                                    pairs: block.columns / 2, out: state.values, outStride: width, rows: tile.count,
                                    columns: headDimension, adds: true))
                        }
                        finish(tile, head: head, state, into: out, logSums: logSums)
                    }
                }
            }
        }
    }

    private func finish(
        _ tile: Range<Int>, head: Int, _ state: SoftmaxState, into out: RoundedMatrix,
        logSums: UnsafeMutablePointer<Float>
    ) {
        for (row, query) in tile.enumerated() {
            let values = state.values + row * width
            kernels.scale(values, by: 1 / state.sums[row], into: values, count: headDimension)
            kernels.round(values, count: headDimension, into: columns(of: head, in: out).row(query))
            logSums[query * heads + head] = state.maxima[row] + log(state.sums[row])
        }
    }

    /// The float32 gradients of queries, keys and values, with a stride of `stride` floats from token to token.
    struct Gradients {
        var queries, keys, values: UnsafeMutablePointer<Float>
        var stride: Int
    }

    /// Computes the gradients of queries, keys and values from the gradient of out, and replaces their old values.
    ///
    /// - Parameter deltas: <dOut, out>, (tokens, heads).
    func backward(
        queries: RoundedMatrix, keys: RoundedMatrix, values: RoundedMatrix, dOut: RoundedMatrix,
        logSums: UnsafePointer<Float>, deltas: UnsafePointer<Float>, into gradients: Gradients
    ) {
        // One job for all query heads that share a key/value head, so that their gradients are added in order.
        let jobs = jobs(size: nil)
        pool.parallelFor(chunks: jobs.count) { index in
            let job = jobs[index]
            let bytes = panelBytes(job)
            let tilePanel = Self.tileSize * width * 2
            let tile = Self.tileSize * Self.blockSize * 18 + 2 * tilePanel
            Scratch.with(bytes: 2 * bytes.keys + bytes.columns + tile) { scratch in
                let (jobKeys, jobValues) = (
                    columns(of: job.head, in: keys).rows(job.keys), columns(of: job.head, in: values).rows(job.keys)
                )
                let pass = BackwardPass(
                    keys: packKeys(jobKeys, scratch.bytes(bytes.keys)),
                    values: packKeys(jobValues, scratch.bytes(bytes.keys)),
                    keyRows: packRows(jobKeys, rows: job.paddedKeys, scratch.bytes(bytes.columns)),
                    scores: scratch.floats(Self.tileSize * Self.blockSize),
                    changes: scratch.floats(Self.tileSize * Self.blockSize),
                    rows: scratch.rounded(Self.tileSize, Self.blockSize).base,
                    weightPairs: scratch.bytes(Self.tileSize * Self.blockSize * 4),
                    changePairs: scratch.bytes(Self.tileSize * Self.blockSize * 4),
                    queryPanels: scratch.bytes(tilePanel), outPanels: scratch.bytes(tilePanel))
                let offset = job.head * headDimension
                for token in job.keys {
                    let place = token * gradients.stride + offset
                    (gradients.keys + place).update(repeating: 0, count: headDimension)
                    (gradients.values + place).update(repeating: 0, count: headDimension)
                }
                for head in job.head * group..<(job.head + 1) * group {
                    forEachTile(of: job.queries) { tile in
                        backward(
                            tile, job, pass, head: head, queries: columns(of: head, in: queries).rows(tile),
                            dOut: columns(of: head, in: dOut).rows(tile), logSums: logSums, deltas: deltas,
                            into: gradients)
                    }
                }
            }
        }
    }

    /// The panels of a job, and memory for a tile.
    private struct BackwardPass {
        var keys, values, keyRows: PairFactor
        var scores, changes: UnsafeMutablePointer<Float>
        var rows: UnsafeMutablePointer<UInt16>
        var weightPairs, changePairs, queryPanels, outPanels: UnsafeMutableRawPointer
    }

    private func backward(
        _ tile: Range<Int>, _ job: Job, _ pass: BackwardPass, head: Int, queries: RoundedMatrix, dOut: RoundedMatrix,
        logSums: UnsafePointer<Float>, deltas: UnsafePointer<Float>, into gradients: Gradients
    ) {
        let queryPanels = packRows(queries, rows: Self.tileSize, pass.queryPanels)
        let outPanels = packRows(dOut, rows: Self.tileSize, pass.outPanels)
        let place = tile.lowerBound * heads + head
        var isFirst = true
        for key in blocks(tile, job) {
            let block = scores(pass.scores, tile, job, key: key)
            multiply(queries, pass.keys, key: key, block, into: pass.scores)
            multiply(dOut, pass.values, key: key, block, into: pass.changes)
            kernels.softmaxBackward(
                block,
                ScoreGradient(
                    changes: pass.changes, logSums: logSums + place, deltas: deltas + place, rowStride: heads,
                    rows: pass.rows, weightPairs: pass.weightPairs, changePairs: pass.changePairs))
            let keyPlace = (job.keys.lowerBound + key) * gradients.stride + job.head * headDimension
            let keyCount = min(block.columns, job.keys.count - key)
            for (pairs, right, target) in [
                (pass.weightPairs, outPanels, gradients.values), (pass.changePairs, queryPanels, gradients.keys),
            ] {
                kernels.multiply(
                    PairProduct(
                        left: PairFactor(base: pairs, row: 4, block: 64, step: 4 * Self.blockSize), right: right,
                        pairs: (tile.count + 1) / 2, out: target + keyPlace, outStride: gradients.stride,
                        rows: keyCount, columns: headDimension, adds: true))
            }
            var right = pass.keyRows
            right.base += key / 2 * 64
            kernels.multiply(
                PairProduct(
                    left: PairFactor(rows: pass.rows, stride: 2 * Self.blockSize), right: right,
                    pairs: block.columns / 2,
                    out: gradients.queries + tile.lowerBound * gradients.stride + head * headDimension,
                    outStride: gradients.stride, rows: tile.count, columns: headDimension, adds: !isFirst))
            isFirst = false
        }
    }
}
