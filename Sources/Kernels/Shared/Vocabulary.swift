extension Kernels {
    /// The index of the largest of `count` >= 1 values, the lowest among equals.
    public static func argmax(values: UnsafePointer<Float>, count: Int) -> Int {
        var best = 0
        var i = 1
        while i < count {
            if values[i] > values[best] { best = i }
            i += 1
        }
        return best
    }

    /// The sum of exp(value - maximum) over `count` values: float32 in 16 lanes within slices of 4,096, float64 over
    /// slices.
    public static func sumOfExponentials(values: UnsafePointer<Float>, count: Int, maximum: Float) -> Double {
        var total = 0.0
        var start = 0
        while start < count {
            let end = start + 4096 < count ? start + 4096 : count
            var sums = SIMD16<Float>.zero
            var i = start
            while i < end {
                var terms = exponential(load(values, i, count: end - i) - maximum)
                var lane = end - i
                while lane < 16 {
                    terms[lane] = 0
                    lane += 1
                }
                sums = sums + terms
                i += 16
            }
            total += Double(sum(sums))
            start = end
        }
        return total
    }
}
