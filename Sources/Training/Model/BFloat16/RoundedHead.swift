import Engine
import Foundation
import KernelInterface

/// The final norm, the LM head, the cross-entropy and the z-loss in bfloat16, for the positions that have a target. Logits and
/// their gradient are float32 until the gradient is rounded for its products.
struct RoundedHead {
    /// The number of positions in a chunk, the unit of work of a thread. It is even.
    private static let chunkSize = 48
    /// The number of positions whose panels are in memory at a time, a multiple of the chunk size.
    private static let groupSize = 480
    /// The numbers stored for each position: cross-entropy, z-loss, the largest magnitude of a logit, and the sum of all
    /// magnitudes.
    private static let lossParts = 4

    let packed: PackedLinear
    let norm: RoundedGain
    /// The number of tokens in the vocabulary.
    let count: Int
    let context: RoundedContext

    private var hidden: Int { context.hidden }
    private var vocabulary: Int { packed.outputs }

    /// Computes the gradient of x (tokens, hidden) into `dx`, replacing its contents, and adds the gradients of head and norm.
    func train(
        _ x: UnsafePointer<Float>, batch: PackedBatch, _ objective: StepObjective, into dx: UnsafeMutablePointer<Float>
    ) -> LossSums {
        let tokens = (0..<batch.tokens).filter { batch.targetWeights[$0] > 0 }
        dx.update(repeating: 0, count: batch.tokens * hidden)
        let size = min(Self.groupSize, tokens.count.roundedUp(to: 2))
        let panels = Buffer<UInt16>(count: size * (vocabulary + hidden.roundedUp(to: 16)))
        let chunks = (tokens.count + Self.chunkSize - 1) / Self.chunkSize
        let gainSums = Buffer<Float>(count: chunks * hidden)
        let losses = Buffer<Double>(count: Self.lossParts * tokens.count)
        let changes = PairPanels(panels.base, rows: size)
        let inputs = PairPanels(panels.base + size * vocabulary, rows: size)
        for start in stride(from: 0, to: tokens.count, by: Self.groupSize) {
            let group = start..<min(start + Self.groupSize, tokens.count)
            context.pool.forEachPiece(of: group.count, size: Self.chunkSize) { chunk, range in
                let places = start + range.lowerBound..<start + range.upperBound
                train(
                    tokens[places], x, batch, objective, into: dx, row: range.lowerBound, changes: changes,
                    inputs: inputs, gainSum: gainSums.base + places.lowerBound / Self.chunkSize * hidden,
                    losses: losses.base + Self.lossParts * places.lowerBound)
            }
            context.add(context.gradients(of: packed, changes, inputs, rows: group.count))
        }
        if let gradient = norm.gradient {
            for chunk in 0..<chunks {
                context.kernels.add(gainSums.base + chunk * hidden, times: 1, to: gradient, count: hidden)
            }
        }
        var sums = LossSums()
        for index in tokens.indices {
            let parts = losses.base + Self.lossParts * index
            sums.crossEntropy += parts[0]
            sums.z += parts[1]
            var logits = LogitStatistics()
            (logits.largest, logits.sum, logits.count) = (parts[2], parts[3], count)
            sums.logits.add(logits)
        }
        return sums
    }

    private func train(
        _ tokens: ArraySlice<Int>, _ x: UnsafePointer<Float>, _ batch: PackedBatch, _ objective: StepObjective,
        into dx: UnsafeMutablePointer<Float>, row first: Int, changes: PairPanels, inputs: PairPanels,
        gainSum: UnsafeMutablePointer<Float>, losses: UnsafeMutablePointer<Double>
    ) {
        let (kernels, rows) = (context.kernels, tokens.count)
        Scratch.with(bytes: rows * (6 * hidden + 6 * vocabulary + 64)) { scratch in
            let (h, rounded) = (scratch.floats(rows * hidden), scratch.rounded(rows, hidden))
            let (logits, gradient) = (scratch.floats(rows * vocabulary), scratch.rounded(rows, vocabulary))
            for (row, token) in tokens.enumerated() {
                context.normalize(x + token * hidden, rows: 1, norm, into: h + row * hidden)
            }
            context.round(h, stride: hidden, into: rounded)
            kernels.multiply(packed.output(rounded.factor, rows: rows, into: logits))
            for (row, token) in tokens.enumerated() {
                let parts = losses + Self.lossParts * row
                let statistics = LogitStatistics(logits + row * vocabulary, count)
                (parts[2], parts[3]) = (statistics.largest, statistics.sum)
                let loss = self.gradient(
                    logits + row * vocabulary, target: Int(batch.targets[token]),
                    weight: Float(Double(batch.targetWeights[token]) / objective.targetWeight),
                    zFactor: Float(objective.zFactor))
                parts[0] = Double(batch.targetWeights[token]) * loss.loss
                parts[1] = Double(batch.targetWeights[token]) * loss.logSum * loss.logSum
            }
            context.round(logits, stride: vocabulary, into: gradient)
            if context.trains(packed) {
                context.pack(gradient, into: changes, row: first)
                context.pack(rounded, into: inputs, row: first)
            }
            kernels.multiply(packed.inputGradient(gradient.factor, rows: rows, into: h, stride: hidden))
            for (row, token) in tokens.enumerated() {
                context.normalizeBackward(
                    h + row * hidden, x: x + token * hidden, rows: 1, norm, into: dx + token * hidden,
                    gainGradient: gainSum)
            }
        }
    }

    /// Turns the logits of one position into their gradient, like ``OutputHead``.
    private func gradient(
        _ logits: UnsafeMutablePointer<Float>, target: Int, weight: Float, zFactor: Float
    ) -> (loss: Double, logSum: Double) {
        let targetLogit = Double(logits[target])
        let sum = context.kernels.exponentials(logits, count: count)
        let logSum = Double(sum.largest) + log(Double(sum.sum))
        let factor = weight * (1 + 2 * zFactor * Float(logSum)) / sum.sum
        context.kernels.scale(logits, by: factor, into: logits, count: count)
        logits[target] -= weight
        return (logSum - targetLogit, logSum)
    }
}
