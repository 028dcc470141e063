import Engine
import Foundation

/// Causal attention within the pieces of a batch, with an optional window. The output is not gated yet.
///
/// The forward pass keeps the logarithm of each softmax's sum. The backward pass recomputes the probabilities from it, one tile
/// of queries at a time, over the keys that the tile sees.
struct PackedAttention {
    /// The number of queries in a tile. The number of scores of a tile is this times the number of keys it sees.
    private static let tileSize = 32

    let pieces: [Range<Int>]
    let heads: Int
    let keyValueHeads: Int
    let headDimension: Int
    /// The number of visible keys, including the query's own key, or `nil` for all.
    let window: Int?
    let products: MatrixProducts

    private var scale: Float { 1 / Float(headDimension).squareRoot() }
    private var group: Int { heads / keyValueHeads }

    /// Computes out (tokens, heads * d) and `logSums` (tokens, heads) from q (tokens, heads * d), k and v (tokens, keyValueHeads
    /// * d).
    func forward(q: Matrix, k: Matrix, v: Matrix, into out: Matrix, logSums: Matrix) {
        products.pool.parallelFor(chunks: pieces.count * heads) { job in
            let (piece, head) = (pieces[job / heads], job % heads)
            let (queries, outputs) = (columns(of: head, in: q), columns(of: head, in: out))
            let (keys, values) = (columns(of: head / group, in: k), columns(of: head / group, in: v))
            let memory = Buffer<Float>(count: Self.tileSize * maximumKeys(piece))
            for tile in tiles(of: piece) {
                let scores = Matrix(memory.base, rows: tile.queries.count, columns: tile.keys.count)
                products.compute(
                    MatrixProduct(
                        left: queries.rows(tile.queries), right: keys.rows(tile.keys), transposesRight: true,
                        out: scores, factor: scale))
                for (row, query) in tile.queries.enumerated() {
                    logSums.row(query)[head] = softmax(scores.row(row), visible: visible(query, tile), tile)
                }
                products.compute(
                    MatrixProduct(left: scores, right: values.rows(tile.keys), out: outputs.rows(tile.queries)))
            }
        }
    }

    /// Computes the gradients of q, k and v from the gradient of out. They must be zero on entry.
    func backward(
        q: Matrix, k: Matrix, v: Matrix, out: Matrix, logSums: Matrix, dOut: Matrix, dq: Matrix, dk: Matrix, dv: Matrix
    ) {
        // One job for all query heads that share a key/value head, so that their gradients are added in order.
        products.pool.parallelFor(chunks: pieces.count * keyValueHeads) { job in
            let (piece, shared) = (pieces[job / keyValueHeads], job % keyValueHeads)
            let (keys, values) = (columns(of: shared, in: k), columns(of: shared, in: v))
            let (keyGradients, valueGradients) = (columns(of: shared, in: dk), columns(of: shared, in: dv))
            let size = Self.tileSize * maximumKeys(piece)
            let memory = Buffer<Float>(count: 2 * size)
            for head in shared * group..<(shared + 1) * group {
                let (queries, queryGradients) = (columns(of: head, in: q), columns(of: head, in: dq))
                let (outputs, gradients) = (columns(of: head, in: out), columns(of: head, in: dOut))
                for tile in tiles(of: piece) {
                    let weights = Matrix(memory.base, rows: tile.queries.count, columns: tile.keys.count)
                    let changes = Matrix(memory.base + size, rows: tile.queries.count, columns: tile.keys.count)
                    let (tileKeys, tileQueries) = (keys.rows(tile.keys), queries.rows(tile.queries))
                    let tileGradients = gradients.rows(tile.queries)
                    products.compute(
                        MatrixProduct(
                            left: tileQueries, right: tileKeys, transposesRight: true, out: weights, factor: scale))
                    products.compute(
                        MatrixProduct(
                            left: tileGradients, right: values.rows(tile.keys), transposesRight: true, out: changes))
                    for (row, query) in tile.queries.enumerated() {
                        let delta = Vectors.dot(gradients.row(query), outputs.row(query), headDimension)
                        scoreGradients(
                            weights.row(row), changes.row(row), logSum: logSums.row(query)[head], delta: delta,
                            visible: visible(query, tile), tile)
                    }
                    products.compute(
                        .weightGradient(weights, tileGradients, into: valueGradients.rows(tile.keys)))
                    products.compute(.weightGradient(changes, tileQueries, into: keyGradients.rows(tile.keys)))
                    products.compute(
                        MatrixProduct(left: changes, right: tileKeys, out: queryGradients.rows(tile.queries)))
                }
            }
        }
    }

    /// Some queries of a piece, and the keys that at least one of them sees.
    private struct Tile {
        var queries: Range<Int>
        var keys: Range<Int>
    }

    private func tiles(of piece: Range<Int>) -> [Tile] {
        stride(from: piece.lowerBound, to: piece.upperBound, by: Self.tileSize).map { start in
            let end = min(start + Self.tileSize, piece.upperBound)
            return Tile(queries: start..<end, keys: firstKey(of: start, in: piece.lowerBound)..<end)
        }
    }

    private func firstKey(of query: Int, in start: Int) -> Int {
        window.map { max(start, query - $0 + 1) } ?? start
    }

    /// Returns the visible keys of a query, as columns of its tile.
    private func visible(_ query: Int, _ tile: Tile) -> Range<Int> {
        let first = firstKey(of: query, in: tile.keys.lowerBound)
        return first - tile.keys.lowerBound..<query + 1 - tile.keys.lowerBound
    }

    private func maximumKeys(_ piece: Range<Int>) -> Int {
        window.map { min($0 + Self.tileSize, piece.count) } ?? piece.count
    }

    private func columns(of head: Int, in matrix: Matrix) -> Matrix {
        matrix.columns(head * headDimension..<(head + 1) * headDimension)
    }

    /// Turns scores into probabilities, which are zero outside the visible keys, and returns the logarithm of the softmax's sum.
    private func softmax(_ scores: UnsafeMutablePointer<Float>, visible: Range<Int>, _ tile: Tile) -> Float {
        var highest = -Float.infinity
        for key in visible { highest = max(highest, scores[key]) }
        var sum: Float = 0
        for key in visible {
            scores[key] = exp(scores[key] - highest)
            sum += scores[key]
        }
        for key in 0..<visible.lowerBound { scores[key] = 0 }
        for key in visible { scores[key] /= sum }
        for key in visible.upperBound..<tile.keys.count { scores[key] = 0 }
        return highest + log(sum)
    }

    /// Turns scores into probabilities P, and dP into P (dP - delta) * scale.
    private func scoreGradients(
        _ scores: UnsafeMutablePointer<Float>, _ changes: UnsafeMutablePointer<Float>, logSum: Float, delta: Float,
        visible: Range<Int>, _ tile: Tile
    ) {
        for key in 0..<visible.lowerBound { (scores[key], changes[key]) = (0, 0) }
        for key in visible {
            scores[key] = exp(scores[key] - logSum)
            changes[key] = scores[key] * (changes[key] - delta) * scale
        }
        for key in visible.upperBound..<tile.keys.count { (scores[key], changes[key]) = (0, 0) }
    }
}
