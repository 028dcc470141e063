extension Kernels {
    /// Writes one position's keys and values of all heads of a layer into its block, as float32.
    ///
    /// - Parameters:
    ///   - keys, values: (heads, headDimension)
    ///   - block: the layer's part of the block: for each head keys (headDimension, 16), then values (16,
    ///     headDimension)
    ///   - token: the place in the block, 0 ..< 16
    public static func writeCacheFloat32(
        keys: UnsafePointer<Float>, values: UnsafePointer<Float>, heads: Int, headDimension: Int,
        block: UnsafeMutableRawPointer, token: Int
    ) {
        let block = block.assumingMemoryBound(to: Float.self)
        var head = 0
        while head < heads {
            let keyTarget = block + head * 32 * headDimension
            let valueTarget = keyTarget + (16 + token) * headDimension
            var i = 0
            while i < headDimension {
                keyTarget[i * 16 + token] = keys[head * headDimension + i]
                valueTarget[i] = values[head * headDimension + i]
                i += 1
            }
            head += 1
        }
    }

    /// The same as bfloat16, rounded to nearest, ties to even.
    public static func writeCacheBFloat16(
        keys: UnsafePointer<Float>, values: UnsafePointer<Float>, heads: Int, headDimension: Int,
        block: UnsafeMutableRawPointer, token: Int
    ) {
        let block = block.assumingMemoryBound(to: UInt16.self)
        var head = 0
        while head < heads {
            let keyTarget = block + head * 32 * headDimension
            let valueTarget = keyTarget + (16 + token) * headDimension
            var i = 0
            while i < headDimension {
                keyTarget[i * 16 + token] = bfloat16(keys[head * headDimension + i])
                valueTarget[i] = bfloat16(values[head * headDimension + i])
                i += 1
            }
            head += 1
        }
    }

    @inline(__always)
    private static func bfloat16(_ value: Float) -> UInt16 {
        let bits = value.bitPattern
        // Rounding up could carry a NaN into the sign bit.
        if value != value { return UInt16(truncatingIfNeeded: bits &>> 16) | 0x40 }
        return UInt16(truncatingIfNeeded: (bits &+ 0x7fff &+ (bits &>> 16 & 1)) &>> 16)
    }
}
