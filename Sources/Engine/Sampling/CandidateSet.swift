// The tokens that temperature, min-p, top-k and top-p leave, and the draw among them. Nothing here sorts a vocabulary:
// top-k needs one value, and top-p sorts only the tokens near the weight at which it cuts.
import Foundation

/// Tokens in ascending order of id with their weights: probabilities up to a common factor, the largest 1.
struct CandidateSet: ~Copyable {
    /// Weights are summed in slices of this many candidates, then slice by slice.
    private static let slice = 4096
    /// Weights up to 1 fall into buckets by exponent and the first four bits of mantissa, which order them.
    private static let bucketShift = UInt64(48)
    private static let bucketCount = Int((1.0).bitPattern >> bucketShift) + 1

    private let ids: UnsafeMutablePointer<Int32>
    private let weights: UnsafeMutablePointer<Double>
    private let bucketWeights: UnsafeMutablePointer<Double>
    private var count = 0

    init(capacity: Int) {
        ids = .allocate(capacity: capacity)
        weights = .allocate(capacity: capacity)
        bucketWeights = .allocate(capacity: Self.bucketCount)
        ids.initialize(repeating: 0, count: capacity)
        weights.initialize(repeating: 0, count: capacity)
        bucketWeights.initialize(repeating: 0, count: Self.bucketCount)
    }

    deinit {
        ids.deallocate()
        weights.deallocate()
        bucketWeights.deallocate()
    }

    /// Takes what `parameters` leave of a row whose largest logit is `maximum`.
    mutating func fill(from row: UnsafeBufferPointer<Float>, maximum: Float, parameters: SamplingParameters) {
        // Min-p drops only tokens below those it keeps, so the k-th largest logit is the same before and after it.
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

    /// The id at the point `uniform`, in [0, 1), of the cumulative distribution.
    func draw(_ uniform: Double) -> Int32 {
        let target = uniform * total()
        var before = 0.0
        var last = 0
        for slice in slices {
            let weight = sum(slice)
            last = slice.upperBound - 1
            // Rounding may leave the target beyond the last slice; its last candidate is taken then.
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

    /// Each id with its probability.
    var probabilities: [(id: Int32, probability: Double)] {
        let total = total()
        return (0..<count).map { (ids[$0], weights[$0] / total) }
    }

    /// Keeps the fewest most probable tokens that hold the share `topP`; among equals lower ids come first.
    private mutating func keepTop(_ topP: Double) {
        let wanted = topP * total()
        memset(bucketWeights, 0, Self.bucketCount * MemoryLayout<Double>.stride)
        for index in 0..<count { bucketWeights[bucket(index)] += weights[index] }
        // The heaviest buckets are kept whole as long as the wanted weight is beyond them.
        var kept = 0.0
        var cut = Self.bucketCount - 1
        while cut > 0 && kept + bucketWeights[cut] < wanted {
            kept += bucketWeights[cut]
            cut -= 1
        }
        let order = (0..<count).filter { bucket($0) == cut }
            .sorted { weights[$0] != weights[$1] ? weights[$0] > weights[$1] : $0 < $1 }
        guard var last = order.first else { return }
        for index in order {
            last = index
            kept += weights[index]
            if kept >= wanted { break }
        }
        let (lastWeight, lastIndex) = (weights[last], last)
        compact { $1 > lastWeight || ($1 == lastWeight && $0 <= lastIndex) }
    }

    /// Keeps the candidates for which `isKept` says so of index and weight.
    private mutating func compact(_ isKept: (Int, Double) -> Bool) {
        var end = 0
        for index in 0..<count where isKept(index, weights[index]) {
            ids[end] = ids[index]
            weights[end] = weights[index]
            end += 1
        }
        count = end
    }

    private func bucket(_ index: Int) -> Int {
        Int(truncatingIfNeeded: weights[index].bitPattern >> Self.bucketShift)
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
