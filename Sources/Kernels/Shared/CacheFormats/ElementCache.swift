import KernelInterface

/// A cache format without scales, in which each number is stored separately.
protocol ElementCache: CacheKernels {
    associatedtype Element: BitwiseCopyable
    static func element(_ number: Float) -> Element
}

extension ElementCache {
    /// Writes one element for each number. A key is adjacent to those of the other tokens.
    public static func write(_ arguments: CacheWriteArguments) {
        let (heads, width, token) = (arguments.heads, arguments.headDimension, arguments.token)
        let block = arguments.block.assumingMemoryBound(to: Element.self)
        var head = 0
        while head < heads {
            let keys = block + head * 32 * width
            let values = keys + (16 + token) * width
            var i = 0
            while i < width {
                keys[i * 16 + token] = element(arguments.keys[head * width + i])
                values[i] = element(arguments.values[head * width + i])
                i += 1
            }
            head += 1
        }
    }
}

extension Kernels {
    /// Keys and values in float32.
    public enum Float32Cache: ElementCache {
        @inline(__always)
        static func element(_ number: Float) -> Float { number }
    }

    /// Keys and values in bfloat16.
    public enum BFloat16Cache: ElementCache {
        @inline(__always)
        static func element(_ number: Float) -> UInt16 {
            let bits = number.bitPattern
            // Rounding up could carry a NaN into the sign bit.
            if number != number { return UInt16(truncatingIfNeeded: bits &>> 16) | 0x40 }
            return UInt16(truncatingIfNeeded: (bits &+ 0x7fff &+ (bits &>> 16 & 1)) &>> 16)
        }
    }
}
