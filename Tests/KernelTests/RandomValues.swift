/// Repeatable random numbers (splitmix64).
struct RandomValues: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return z ^ z >> 31
    }

    mutating func floats(_ count: Int, in range: ClosedRange<Float> = -1...1) -> [Float] {
        (0..<count).map { _ in Float.random(in: range, using: &self) }
    }
}

/// The largest difference relative to the largest expected value.
func relativeError(_ got: [Float], _ want: [Double]) -> Double {
    precondition(got.count == want.count, "results of one shape are compared")
    let scale = want.reduce(1e-30) { max($0, abs($1)) }
    // A NaN counts as larger than any tolerance.
    return zip(got, want).reduce(0) { $1.0.isNaN ? .infinity : max($0, abs(Double($1.0) - $1.1)) } / scale
}
