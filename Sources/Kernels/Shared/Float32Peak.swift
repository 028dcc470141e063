extension Kernels {
    /// Runs multiplications and additions in registers only, at this family's peak rate in float32. A round is `largestTile`
    /// products of 16 lanes, as many as fit in registers.
    @inline(__always)
    static func multiplyFloat32(iterations: Int) -> Float {
        let factor = SIMD16<Float>(repeating: 1 - Float(iterations) * 0x1p-60)
        var sums = InlineArray<8, SIMD16<Float>>(repeating: factor)
        var iteration = 0
        while iteration < iterations {
            var chain = 0
            while chain < largestTile {
                sums[unchecked: chain] = multiplyAdd(factor, factor, sums[unchecked: chain])
                chain += 1
            }
            iteration += 1
        }
        var total = SIMD16<Float>.zero
        var chain = 0
        while chain < largestTile {
            total = total + sums[unchecked: chain]
            chain += 1
        }
        return sum(total)
    }
}
