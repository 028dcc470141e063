import Foundation
import KernelInterface
import Testing

@testable import Engine

/// Gradients and softmax of training compared with float64.
struct TrainingKernelTests {
    private static let widths = [1, 15, 16, 24, 64, 300]

    @Test(arguments: widths, KernelSet.available)
    func `the gradient of a norm follows its formula`(width: Int, set: KernelSet) {
        let kernels = set.trainingKernels
        var random = RandomValues(seed: 31)
        let rows = 3
        let (x, dy, gain) = (random.floats(rows * width), random.floats(rows * width), random.floats(width))
        let start = random.floats(rows * width)
        let (replaced, added) = (Buffer<Float>(count: rows * width), Buffer(start))
        let (gainSum, unused) = (Buffer<Float>(count: width), Buffer<Float>(count: width))
        kernels.rmsNormBackward(
            dy: dy, x: x, gain: gain, dx: replaced.base, adds: false, gainGradient: gainSum.base, rows: rows,
            width: width, epsilon: 1e-3)
        kernels.rmsNormBackward(
            dy: dy, x: x, gain: gain, dx: added.base, adds: true, gainGradient: unused.base, rows: rows, width: width,
            epsilon: 1e-3)
        var wanted: [Double] = []
        var wantedGain = [Double](repeating: 0, count: width)
        for row in 0..<rows {
            let values = x[row * width..<(row + 1) * width].map(Double.init)
            let changes = dy[row * width..<(row + 1) * width].map(Double.init)
            let factor = 1 / sqrt(values.reduce(0) { $0 + $1 * $1 } / Double(width) + Double(Float(1e-3)))
            let upstream = zip(changes, gain).map { $0 * Double($1) }
            let pull = zip(upstream, values).reduce(0) { $0 + $1.0 * $1.1 } / Double(width)
            for column in 0..<width {
                wanted.append(factor * (upstream[column] - values[column] * factor * factor * pull))
                wantedGain[column] += changes[column] * values[column] * factor
            }
        }
        #expect(relativeError(Array(replaced.contents), wanted) < 2e-6)
        let wantedSums = wanted.indices.map { wanted[$0] + Double(start[$0]) }
        #expect(relativeError(Array(added.contents), wantedSums) < 2e-6)
        #expect(relativeError(Array(gainSum.contents), wantedGain) < 2e-6)
    }

    @Test(arguments: widths, KernelSet.available)
    func `the gradients of gates follow their formulas`(count: Int, set: KernelSet) {
        let kernels = set.trainingKernels
        var random = RandomValues(seed: 32)
        let (a, b, e) = (random.floats(count, in: -9...9), random.floats(count), random.floats(count))
        let (gate, up, change) = (Buffer(a), Buffer(b), Buffer(e))
        let total = kernels.siluMultiplyBackward(
            gate: gate.base, up: up.base, change: change.base, factor: 0.5, count: count)
        let shares = a.map { 1 / (1 + exp(-Double($0))) }
        let silu = zip(a, shares).map { Double($0) * $1 }
        func each(_ value: (Int) -> Double) -> [Double] { (0..<count).map(value) }
        let products = each { silu[$0] * Double(b[$0]) }
        let wanted = each { Double(e[$0]) * products[$0] }.reduce(0, +)
        #expect(abs(Double(total) - wanted) < 1e-5 * Double(count))
        let slopes = each { shares[$0] + silu[$0] * (1 - shares[$0]) }
        let gates = each { 0.5 * Double(e[$0]) * Double(b[$0]) * slopes[$0] }
        let ups = each { 0.5 * Double(e[$0]) * silu[$0] }
        #expect(relativeError(Array(gate.contents), gates) < 2e-6)
        #expect(relativeError(Array(up.contents), ups) < 2e-6)
        #expect(relativeError(Array(change.contents), products.map { 0.5 * $0 }) < 2e-6)

        let (x, sigmoidGate, upstream) = (Buffer(b), Buffer(a), Buffer(e))
        kernels.sigmoidMultiplyBackward(x: x.base, gate: sigmoidGate.base, change: upstream.base, count: count)
        let outputs = each { Double(b[$0]) * shares[$0] }
        let inputs = each { Double(e[$0]) * shares[$0] }
        let gateChanges = each { inputs[$0] * Double(b[$0]) * (1 - shares[$0]) }
        #expect(relativeError(Array(x.contents), outputs) < 2e-6)
        #expect(relativeError(Array(upstream.contents), inputs) < 2e-6)
        #expect(relativeError(Array(sigmoidGate.contents), gateChanges) < 2e-6)
    }

    @Test(arguments: widths, KernelSet.available)
    func `sums of exponentials are relative to the largest number`(count: Int, set: KernelSet) {
        var random = RandomValues(seed: 33)
        let x = random.floats(count, in: -30...40)
        let out = Buffer(x)
        let sum = set.trainingKernels.exponentials(out.base, count: count)
        #expect(sum.largest == x.max())
        let wanted = x.map { exp(Double($0) - Double(sum.largest)) }
        #expect(relativeError(Array(out.contents), wanted) < 2e-6)
        let total = wanted.reduce(0, +)
        #expect(abs(Double(sum.sum) - total) < 2e-6 * total)
    }

    /// Rows of scores in two blocks of keys, with and without a window, forward and backward.
    @Test(arguments: [nil, 1, 20, 40] as [Int?], KernelSet.available)
    func `the softmax of a tile and its gradient follow their formulas`(window: Int?, set: KernelSet) {
        let kernels = set.trainingKernels
        var random = RandomValues(seed: 34)
        // Query r is position 30 + r; keys are 0 ..< 48 in blocks of 32 and 16.
        let (rows, stride, width, scale) = (9, 32, 3, Float(0.25))
        let blocks = [(start: 0, columns: 32), (start: 32, columns: 16)]
        let scores = blocks.map { _ in random.floats(rows * stride, in: -20...20) }
        let changes = blocks.map { _ in random.floats(rows * stride) }
        let (logSums, deltas) = (Buffer<Float>(count: 2 * rows), Buffer(random.floats(2 * rows)))
        func block(_ index: Int, _ memory: Buffer<Float>) -> ScoreBlock {
            let offset = 30 - blocks[index].start
            return ScoreBlock(
                scores: memory.base, stride: stride, rows: rows, columns: blocks[index].columns,
                first: window.map { offset - $0 + 1 } ?? 0, firstStep: window == nil ? 0 : 1, end: offset + 1,
                scale: scale)
        }
        func isVisible(_ row: Int, _ key: Int) -> Bool {
            key <= 30 + row && (window.map { 30 + row - key < $0 } ?? true)
        }
        let (maxima, sums) = (
            Buffer([Float](repeating: -.infinity, count: rows)), Buffer<Float>(count: rows)
        )
        let values = Buffer([Float](repeating: 1, count: rows * width))
        for index in blocks.indices {
            let (memory, weights) = (Buffer(scores[index]), Buffer<UInt16>(count: rows * stride))
            let before = (Array(maxima.contents), Array(values.contents))
            kernels.softmax(
                block(index, memory),
                SoftmaxState(
                    maxima: maxima.base, sums: sums.base, values: values.base, width: width, weights: weights.base))
            for row in 0..<rows {
                let visible = (0..<blocks[index].columns).filter { isVisible(row, blocks[index].start + $0) }
                let largest = visible.map { scores[index][row * stride + $0] * scale }.max() ?? -.infinity
                #expect(maxima.base[row] == max(before.0[row], largest))
                for column in 0..<blocks[index].columns {
                    let weight = Double(Float(bitPattern: UInt32(weights.base[row * stride + column]) << 16))
                    let score = Double(scores[index][row * stride + column] * scale)
                    let wanted = visible.contains(column) ? exp(score - Double(maxima.base[row])) : 0
                    let bound = wanted / 250 + 1e-37
                    #expect(abs(weight - wanted) <= bound)
                }
                // What was added before is relative to the new maximum.
                if before.0[row] > -.infinity {
                    let factor = exp(Double(before.0[row]) - Double(maxima.base[row]))
                    let wanted = Double(before.1[row * width]) * factor
                    #expect(abs(Double(values.base[row * width]) - wanted) < 1e-6)
                }
            }
        }
        var wanted = [[Double]](repeating: [], count: rows)
        for row in 0..<rows {
            for key in 0..<48 {
                let index = key < 32 ? 0 : 1
                let score = Double(scores[index][row * stride + key - blocks[index].start] * scale)
                wanted[row].append(isVisible(row, key) ? exp(score) : 0)
            }
            let total = wanted[row].reduce(0, +)
            let logSum = Double(maxima.base[row]) + log(Double(sums.base[row]))
            #expect(abs(logSum - log(total)) < 1e-5)
            logSums.base[2 * row] = Float(log(total))
            wanted[row] = wanted[row].map { $0 / total }
        }
        for index in blocks.indices {
            let (memory, dRows) = (Buffer(scores[index]), Buffer<UInt16>(count: rows * stride))
            let (weightPairs, changePairs) = (
                Buffer<UInt16>(count: (rows + 1) * stride), Buffer<UInt16>(count: (rows + 1) * stride)
            )
            let upstream = Buffer(changes[index])
            kernels.softmaxBackward(
                block(index, memory),
                ScoreGradient(
                    changes: upstream.base, logSums: logSums.base, deltas: deltas.base, rowStride: 2, rows: dRows.base,
                    weightPairs: weightPairs.base, changePairs: changePairs.base))
            func value(_ bits: UInt16) -> Double { Double(Float(bitPattern: UInt32(bits) << 16)) }
            for row in 0...rows {
                for column in 0..<blocks[index].columns {
                    let pair = row / 2 * 2 * stride + 2 * column + row % 2
                    guard row < rows else {
                        #expect(weightPairs.base[pair] == 0 && changePairs.base[pair] == 0)
                        continue
                    }
                    let weight = wanted[row][blocks[index].start + column]
                    let bound = weight / 250 + 1e-37
                    #expect(abs(value(weightPairs.base[pair]) - weight) <= bound)
                    let place = row * stride + column
                    let difference = Double(changes[index][place]) - Double(deltas.base[2 * row])
                    let change = weight * difference * Double(scale)
                    let changeBound = abs(change) / 250 + 1e-7
                    #expect(abs(value(dRows.base[place]) - change) <= changeBound)
                    #expect(changePairs.base[pair] == dRows.base[place])
                }
            }
        }
    }
}
