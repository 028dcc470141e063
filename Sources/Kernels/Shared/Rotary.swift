extension Kernels {
    /// Rotates the pairs (t, t + headDimension / 2) of each head by one position's angles (RoFormer, arXiv 2104.09864, in the
    /// half-split form). x is (heads, headDimension), and cosines and sines are (headDimension / 2).
    public static func rotate(
        x: UnsafeMutablePointer<Float>, heads: Int, headDimension: Int, cosines: UnsafePointer<Float>,
        sines: UnsafePointer<Float>
    ) {
        let half = headDimension / 2
        var head = 0
        while head < heads {
            let low = x + head * headDimension
            let high = low + half
            var t = 0
            while t < half {
                let count = half - t
                let (a, b) = (load(low, t, count: count), load(high, t, count: count))
                let (cosine, sine) = (load(cosines, t, count: count), load(sines, t, count: count))
                store(a * cosine - b * sine, low, t, count: count)
                store(b * cosine + a * sine, high, t, count: count)
                t += 16
            }
            head += 1
        }
    }
}
