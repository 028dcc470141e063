import CIntrinsics

extension AVX512 {
    /// The number of operations per round: 16 products of 32 numbers, each a multiplication and an addition.
    public static var peakOperations: Int { 1024 }

    /// Runs the peak loop with pairs of bfloat16 numbers.
    public static func peak(iterations: Int) -> Float {
        var pair = UInt32(truncatingIfNeeded: iterations) & 0x7fff | 0x3f80_0000
        let factor = trinity_broadcast_pair(&pair)
        let zeros = InlineArray<8, SIMD16<Float>>(repeating: .zero)
        var (sums, others) = (zeros, zeros)
        var iteration = 0
        while iteration < iterations {
            var chain = 0
            while chain < 8 {
                sums[unchecked: chain] = trinity_dot_bfloat16(sums[unchecked: chain], factor, factor)
                others[unchecked: chain] = trinity_dot_bfloat16(others[unchecked: chain], factor, factor)
                chain += 1
            }
            iteration += 1
        }
        var total = SIMD16<Float>.zero
        var chain = 0
        while chain < 8 {
            total = total + sums[unchecked: chain] + others[unchecked: chain]
            chain += 1
        }
        return sum(total)
    }
}
