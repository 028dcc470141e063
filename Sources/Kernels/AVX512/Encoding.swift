import CIntrinsics

// Encodes activations for products with bfloat16 and float8 weights. An encoded row consists of its columns in bfloat16, padded
// with zeros to whole lines of weights, followed by the rounding errors of these numbers, which only exact products read.

extension AVX512 {
    /// Whether some products take encoded activations. Those with bfloat16 and float8 weights take pairs of bfloat16 numbers.
    public static var encodesActivations: Bool { true }

    /// Implements ``KernelFamily/encode(source:count:padding:target:lowOffset:)``.
    public static func encode(
        source: UnsafePointer<Float>, count: Int, padding: Int, target: UnsafeMutablePointer<UInt16>, lowOffset: Int?
    ) {
        var i = 0
        while i < count {
            let values = load(source, i, count: count - i)
            let high = trinity_to_bfloat16(values)
            storeBFloat16(high, target + i, count: count - i)
            if let lowOffset {
                let low = trinity_to_bfloat16(values - trinity_from_bfloat16(high))
                storeBFloat16(low, target + lowOffset + i, count: count - i)
            }
            i += 16
        }
        clear(target + count, padding)
        if let lowOffset { clear(target + lowOffset + count, padding) }
    }

    @inline(__always)
    private static func storeBFloat16(
        _ values: SIMD4<Int64>, _ target: UnsafeMutablePointer<UInt16>, count: Int
    ) {
        if count >= 16 {
            UnsafeMutableRawPointer(target).storeBytes(of: values, as: SIMD4<Int64>.self)
            return
        }
        let halves = unsafeBitCast(values, to: SIMD16<UInt16>.self)
        var lane = 0
        while lane < count {
            target[lane] = halves[lane]
            lane += 1
        }
    }

    @inline(__always)
    private static func clear(_ target: UnsafeMutablePointer<UInt16>, _ count: Int) {
        var i = 0
        while i < count {
            target[i] = 0
            i += 1
        }
    }
}
