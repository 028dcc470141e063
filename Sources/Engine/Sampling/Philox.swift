/// The Philox 4x32 generator with ten rounds. Random numbers are a function of a counter and a key, without state (Salmon et al.,
/// "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011).
enum Philox {
    /// Returns a number in [0, 1) with 53 bits that depends only on the arguments, regardless of earlier draws and of other
    /// requests.
    static func uniform(seed: UInt64, choice: Int, position: Int) -> Double {
        let position = UInt64(truncatingIfNeeded: position)
        let counter = SIMD4<UInt32>(
            UInt32(truncatingIfNeeded: position), UInt32(truncatingIfNeeded: position >> 32),
            UInt32(truncatingIfNeeded: choice), 0)
        let key = SIMD2<UInt32>(UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32))
        let bits = block(counter: counter, key: key)
        return Double((UInt64(bits[1]) << 32 | UInt64(bits[0])) >> 11) * 0x1p-53
    }

    static func block(counter: SIMD4<UInt32>, key: SIMD2<UInt32>) -> SIMD4<UInt32> {
        var counter = counter
        var key = key
        for _ in 0..<10 {
            let first = (0xD251_1F53 as UInt32).multipliedFullWidth(by: counter[0])
            let second = (0xCD9E_8D57 as UInt32).multipliedFullWidth(by: counter[2])
            counter = SIMD4(
                second.high ^ counter[1] ^ key[0], second.low, first.high ^ counter[3] ^ key[1], first.low)
            key &+= SIMD2(0x9E37_79B9, 0xBB67_AE85)
        }
        return counter
    }
}
