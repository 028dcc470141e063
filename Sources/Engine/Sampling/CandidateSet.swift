// Selects the tokens that remain after temperature, min-p, top-k and top-p, and draws one of them. Nothing here sorts a vocabulary:
// top-k and top-p find their threshold digit by digit.
import Foundation

/// A set of tokens in ascending order of id with their weights, which are probabilities up to a common factor with a maximum of 1.
struct CandidateSet: ~Copyable {
    /// The size of the slices in which weights are summed. The sums of the slices are then added.
    private static let slice = 4096
    /// The shifts of the 16-bit digits of a weight, starting with the exponent. Positive numbers have the same order as their bits.
    private static let digitShifts: [UInt64] = [48, 32, 16, 0]
    private static let bucketCount = 1 << 16

    private let ids: UnsafeMutablePointer<Int32>
    private let weights: UnsafeMutablePointer<Double>
    private let bucketWeights: UnsafeMutablePointer<Double>
    /// The indices of the candidates among which the threshold is.
    private let order: UnsafeMutablePointer<Int32>
    private var count = 0

    init(capacity: Int) {
        ids = .allocate(capacity: capacity)
        weights = .allocate(capacity: capacity)
        bucketWeights = .allocate(capacity: Self.bucketCount)
        order = .allocate(capacity: capacity)
        ids.initialize(repeating: 0, count: capacity)
        weights.initialize(repeating: 0, count: capacity)
        bucketWeights.initialize(repeating: 0, count: Self.bucketCount)
        order.initialize(repeating: 0, count: capacity)
    }

    /// Returns the number of bytes that `init` allocates.
    static func bytes(capacity: Int) -> Int {
        16 * capacity + 8 * bucketCount
    }

    deinit {
        ids.deallocate()
        weights.deallocate()
        bucketWeights.deallocate()
        order.deallocate()
    }

    /// Replaces the candidates with the tokens of a row that `parameters` keep. The row's largest logit is `maximum`.
    mutating func fill(from row: UnsafeBufferPointer<Float>, maximum: Float, parameters: SamplingParameters) {
        // Min-p removes only tokens below those that it keeps, so the k-th largest logit is the same before and after it.
        let isTopK = parameters.topK > 0 && parameters.topK < row.count
        let bound = isTopK ? row.largest(parameters.topK, maximum: maximum) : -.infinity
        let inverseTemperature = 1 / Double(parameters.temperature)
        count = 0
        for id in row.indices where row[id] >= bound {
            ids[count] = Int32(truncatingIfNeeded: id)
            weights[count] = (Double(row[id]) - Double(maximum)) * inverseTemperature
            count += 1
        }
        Exponential.apply(to: weights, count: count)
        let minimum = max(Double(parameters.minP), .leastNonzeroMagnitude)
        compact { _, weight in weight >= minimum }
        if parameters.topP < 1 { keepTop(Double(parameters.topP)) }
    }

    /// Returns the id at the point `uniform`, in [0, 1), of the cumulative distribution.
    func draw(_ uniform: Double) -> Int32 {
        let target = uniform * total()
        var before = 0.0
        var last = 0
        for slice in slices {
            let weight = sum(slice)
            last = slice.upperBound - 1
            // Rounding may put the target beyond the last slice. Then its last candidate is used.
            if before + weight > target || slice.upperBound == count {
                for index in slice {
                    before += weights[index]
                    if before > target { return ids[index] }
                }
                break
            }
            before += weight
        }
        return ids[last]
    }

    /// The ids with their probabilities.
    var probabilities: [(id: Int32, probability: Double)] {
        let total = total()
        return (0..<count).map { (ids[$0], weights[$0] / total) }
    }

    /// Keeps the fewest most probable tokens that together have at least the probability `topP`. Of equal tokens, lower ids come
    /// first. O(count).
    ///
    /// The threshold is found digit by digit. Candidates are put into buckets by the first bits of their weights. The buckets of
    /// the largest weights are kept whole as long as they do not reach the wanted weight, and the next digit divides the bucket
    /// that contains the threshold. After the last digit, all remaining candidates are equal.
    private mutating func keepTop(_ topP: Double) {
        let wanted = topP * total()
        var kept = 0.0
        var left = count
        for index in 0..<count { order[index] = Int32(truncatingIfNeeded: index) }
        for shift in Self.digitShifts {
            memset(bucketWeights, 0, Self.bucketCount * MemoryLayout<Double>.stride)
            var cut = 0
            var lowest = Self.bucketCount
            for place in 0..<left {
                let bucket = digit(order[place], shift)
                bucketWeights[bucket] += weights[Int(order[place])]
                cut = max(cut, bucket)
                lowest = min(lowest, bucket)
            }
            while cut > lowest && kept + bucketWeights[cut] < wanted {
                kept += bucketWeights[cut]
                cut -= 1
            }
            var end = 0
            for place in 0..<left where digit(order[place], shift) == cut {
                order[end] = order[place]
                end += 1
            }
            left = end
        }
        guard left > 0 else { return }
        var last = Int(order[0])
        for place in 0..<left {
            last = Int(order[place])
            kept += weights[last]
            if kept >= wanted { break }
        }
        let (lastWeight, lastIndex) = (weights[last], last)
        compact { $1 > lastWeight || ($1 == lastWeight && $0 <= lastIndex) }
    }

    /// Keeps the candidates for whose index and weight `isKept` returns true.
    private mutating func compact(_ isKept: (Int, Double) -> Bool) {
        var end = 0
        for index in 0..<count where isKept(index, weights[index]) {
            ids[end] = ids[index]
            weights[end] = weights[index]
            end += 1
        }
        count = end
    }

    /// Returns bits `shift` ..< `shift + 16` of a candidate's weight.
    private func digit(_ index: Int32, _ shift: UInt64) -> Int {
        Int(truncatingIfNeeded: weights[Int(index)].bitPattern >> shift & 0xffff)
    }

    private var slices: some Sequence<Range<Int>> {
        let count = count
        return stride(from: 0, to: count, by: Self.slice).lazy.map { $0..<min($0 + Self.slice, count) }
    }

    private func sum(_ range: Range<Int>) -> Double {
        var sum = 0.0
        for index in range { sum += weights[index] }
        return sum
    }

    private func total() -> Double {
        var total = 0.0
        for slice in slices { total += sum(slice) }
        return total
    }
}
