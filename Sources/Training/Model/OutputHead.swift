import Engine
import Foundation

/// The sums of a batch's losses, before division by the target weight.
struct LossSums: Equatable {
    /// The sum of weight * (logSumExp - logit of the target).
    var crossEntropy = 0.0
    /// The sum of weight * logSumExp^2.
    var z = 0.0
    /// The statistics of the logits of the positions with a target.
    var logits = LogitStatistics()
}

/// The LM head, the cross-entropy and the z-loss, for the positions with a target.
struct OutputHead {
    /// The number of positions whose logits are in memory at a time.
    private static let tileSize = 256

    /// (vocabulary, hidden)
    let weight: Matrix
    let products: MatrixProducts

    /// Computes the gradient dh from h (tokens, hidden), and adds the gradient of the head unless it is `nil`. dh must be zero on
    /// entry.
    ///
    /// - Parameters:
    ///   - targetWeight: the sum of target weights of the whole step.
    ///   - zFactor: the factor of the z-loss.
    func train(
        _ h: Matrix, batch: PackedBatch, targetWeight: Double, zFactor: Double, into dh: Matrix, gradient: Matrix?
    ) -> LossSums {
        let tokens = (0..<batch.tokens).filter { batch.targetWeights[$0] > 0 }
        let (hidden, vocabulary) = (h.columns, weight.rows)
        let size = min(Self.tileSize, tokens.count)
        let memory = Buffer<Float>(count: size * (vocabulary + 2 * hidden))
        let losses = Buffer<Double>(count: 4 * size)
        var sums = LossSums()
        for start in stride(from: 0, to: tokens.count, by: Self.tileSize) {
            let tile = tokens[start..<min(start + Self.tileSize, tokens.count)]
            let logits = Matrix(memory.base, rows: tile.count, columns: vocabulary)
            let inputs = Matrix(memory.base + size * vocabulary, rows: tile.count, columns: hidden)
            let changes = Matrix(inputs.base + size * hidden, rows: tile.count, columns: hidden)
            for (row, token) in tile.enumerated() { inputs.row(row).update(from: h.row(token), count: hidden) }
            products.run([.output(inputs, weight, into: logits)])
            products.pool.forEachPiece(of: tile.count, size: 8) { _, rows in
                for row in rows {
                    let token = tile[start + row]
                    let targetWeight = Double(batch.targetWeights[token]) / targetWeight
                    let statistics = LogitStatistics(logits.row(row), vocabulary)
                    let (loss, logSum) = Self.gradient(
                        logits.row(row), vocabulary, target: Int(batch.targets[token]), weight: Float(targetWeight),
                        zFactor: Float(zFactor))
                    losses.base[4 * row] = Double(batch.targetWeights[token]) * loss
                    losses.base[4 * row + 1] = Double(batch.targetWeights[token]) * logSum * logSum
                    losses.base[4 * row + 2] = statistics.largest
                    losses.base[4 * row + 3] = statistics.sum
                }
            }
            for row in 0..<tile.count {
                sums.crossEntropy += losses.base[4 * row]
                sums.z += losses.base[4 * row + 1]
                sums.logits.largest = max(sums.logits.largest, losses.base[4 * row + 2])
                sums.logits.sum += losses.base[4 * row + 3]
                sums.logits.count += vocabulary
            }
            products.run(
                [
                    gradient.map { .weightGradient(logits, inputs, into: $0) },
                    .inputGradient(logits, weight, into: changes, adds: false),
                ].compactMap(\.self))
            for (row, token) in tile.enumerated() { dh.row(token).update(from: changes.row(row), count: hidden) }
        }
        return sums
    }

    /// Returns -log p of each position's target and the log-sum-exp of its logits, for h (tokens, hidden). Both are zero at
    /// positions without a target.
    func losses(_ h: Matrix, batch: PackedBatch) -> [(loss: Double, logSum: Double)] {
        let tokens = (0..<batch.tokens).filter { batch.targetWeights[$0] > 0 }
        let (hidden, vocabulary) = (h.columns, weight.rows)
        let size = min(Self.tileSize, tokens.count)
        let memory = Buffer<Float>(count: size * (vocabulary + hidden))
        let sums = Buffer<Double>(count: 2 * size)
        var losses = [(loss: Double, logSum: Double)](repeating: (0, 0), count: batch.tokens)
        for start in stride(from: 0, to: tokens.count, by: Self.tileSize) {
            let tile = tokens[start..<min(start + Self.tileSize, tokens.count)]
            let logits = Matrix(memory.base, rows: tile.count, columns: vocabulary)
            let inputs = Matrix(memory.base + size * vocabulary, rows: tile.count, columns: hidden)
            for (row, token) in tile.enumerated() { inputs.row(row).update(from: h.row(token), count: hidden) }
            products.run([.output(inputs, weight, into: logits)])
            products.pool.forEachPiece(of: tile.count, size: 8) { _, rows in
                for row in rows {
                    let (loss, logSum) = Self.gradient(
                        logits.row(row), vocabulary, target: Int(batch.targets[tile[start + row]]), weight: 0,
                        zFactor: 0)
                    (sums.base[2 * row], sums.base[2 * row + 1]) = (loss, logSum)
                }
            }
            for (row, token) in tile.enumerated() {
                losses[token] = (sums.base[2 * row], sums.base[2 * row + 1])
            }
        }
        return losses
    }

    /// Turns the logits of one position into their gradient, weight * (p (1 + 2 zeta logSum) - onehot(target)).
    static func gradient(
        _ logits: UnsafeMutablePointer<Float>, _ count: Int, target: Int, weight: Float, zFactor: Float
    ) -> (loss: Double, logSum: Double) {
        var highest = -Float.infinity
        for index in 0..<count { highest = max(highest, logits[index]) }
        let targetLogit = Double(logits[target])
        var sum = 0.0
        for index in 0..<count {
            logits[index] = exp(logits[index] - highest)
            sum += Double(logits[index])
        }
        let logSum = Double(highest) + log(sum)
        let factor = weight * (1 + 2 * zFactor * Float(logSum)) / Float(sum)
        for index in 0..<count { logits[index] *= factor }
        logits[target] -= weight
        return (logSum - targetLogit, logSum)
    }
}
