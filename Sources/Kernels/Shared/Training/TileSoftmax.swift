import KernelInterface

// The softmax of training: that of the logits of a position, and that of attention tiles.

extension Kernels {
    /// Implements the requirement of ``TrainingKernels``.
    public static func exponentials(_ x: UnsafeMutablePointer<Float>, count: Int) -> ExponentialSum {
        var maxima = SIMD16<Float>(repeating: -.infinity)
        var i = 0
        while i < count {
            maxima = larger(maxima, present(x, i, count: count - i))
            i += 16
        }
        let largest = largestLane(maxima)
        var sums = SIMD16<Float>.zero
        i = 0
        while i < count {
            let value = exponential(present(x, i, count: count - i) - largest)
            sums = sums + value
            store(value, x, i, count: count - i)
            i += 16
        }
        return ExponentialSum(largest: largest, sum: sum(sums))
    }

    /// Implements the requirement of ``TrainingKernels``.
    public static func softmax(_ block: ScoreBlock, _ state: SoftmaxState) {
        var row = 0
        while row < block.rows {
            let (first, end) = (block.first(row), block.end(row))
            let scores = block.scores + row * block.stride
            let weights = state.weights + row * block.stride
            var maxima = SIMD16<Float>(repeating: -.infinity)
            var column = first / 16 * 16
            while column < end {
                let value = load16(scores, column)
                maxima = larger(
                    maxima, value.replacing(with: -.infinity, where: hidden(column, first, end)))
                column += 16
            }
            let before = state.maxima[row]
            let candidate = largestLane(maxima) * block.scale
            let largest = candidate > before ? candidate : before
            var sums = SIMD16<Float>.zero
            column = 0
            while column < block.columns {
                var value = SIMD16<Float>.zero
                if column + 16 > first && column < end {
                    value = exponential(load16(scores, column) * block.scale - largest)
                    value = value.replacing(with: 0, where: hidden(column, first, end))
                    sums = sums + value
                }
                storeRounded(value, weights + column)
                column += 16
            }
            // If no key has been visible so far, both are -infinity.
            let factor = largest > before ? exponential(before - largest) : 1
            state.maxima[row] = largest
            state.sums[row] = state.sums[row] * factor + sum(sums)
            if factor != 1 {
                let values = state.values + row * state.width
                scale(values, by: factor, into: values, count: state.width)
            }
            row += 1
        }
    }

    /// Implements the requirement of ``TrainingKernels``.
    public static func softmaxBackward(_ block: ScoreBlock, _ gradient: ScoreGradient) {
        var row = 0
        while row < block.rows {
            let isPair = row + 1 < block.rows
            let pairs = row / 2 * block.stride * 4
            var column = 0
            while column < block.columns {
                let (weight, change) = gradient.lanes(block, row, column)
                storeRounded(change, gradient.rows + row * block.stride + column)
                var (nextWeight, nextChange) = (SIMD16<Float>.zero, SIMD16<Float>.zero)
                if isPair {
                    (nextWeight, nextChange) = gradient.lanes(block, row + 1, column)
                    storeRounded(nextChange, gradient.rows + (row + 1) * block.stride + column)
                }
                storeLine(roundedPairs(weight, nextWeight), gradient.weightPairs + pairs + column * 4)
                storeLine(roundedPairs(change, nextChange), gradient.changePairs + pairs + column * 4)
                column += 16
            }
            row += 2
        }
    }

    /// Loads the first `count` lanes. The others are minus infinity.
    @inline(__always)
    private static func present(_ x: UnsafePointer<Float>, _ index: Int, count: Int) -> SIMD16<Float> {
        let value = load(x, index, count: count)
        return count >= 16 ? value : value.replacing(with: -.infinity, where: hidden(0, 0, count))
    }
}

extension ScoreGradient {
    /// Returns P and dS of sixteen columns of a row.
    @inline(__always)
    fileprivate func lanes(_ block: ScoreBlock, _ row: Int, _ column: Int) -> (SIMD16<Float>, SIMD16<Float>) {
        let (first, end) = (block.first(row), block.end(row))
        guard column + 16 > first, column < end else { return (.zero, .zero) }
        let place = row * block.stride + column
        let weight = exponential(load16(block.scores, place) * block.scale - logSums[row * rowStride])
            .replacing(with: 0, where: hidden(column, first, end))
        let change = weight * (load16(changes, place) - deltas[row * rowStride]) * block.scale
        return (weight, change.replacing(with: 0, where: hidden(column, first, end)))
    }
}

extension ScoreBlock {
    @inline(__always)
    fileprivate func first(_ row: Int) -> Int {
        let value = first + row * firstStep
        return value > 0 ? value : 0
    }

    @inline(__always)
    fileprivate func end(_ row: Int) -> Int {
        let value = end + row
        return value < columns ? value : columns
    }
}

/// Returns which of the sixteen columns from `column` on are not in first ..< end.
@inline(__always)
private func hidden(_ column: Int, _ first: Int, _ end: Int) -> SIMDMask<SIMD16<Int32>> {
    let lanes = SIMD16<Int32>(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
    let low = SIMD16<Int32>(repeating: Int32(truncatingIfNeeded: first &- column))
    let high = SIMD16<Int32>(repeating: Int32(truncatingIfNeeded: end &- column))
    return (lanes .< low) .| (lanes .>= high)
}
