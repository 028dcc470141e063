import CIntrinsics

/// The kernels for arm64 CPUs that also have products of bfloat16 and of signed and unsigned bytes (FEAT_BF16 and FEAT_I8MM,
/// Armv8.6-A).
///
/// They compute the same as `NEON`, bit for bit, except for products with bfloat16 and float8 weights, which are specific to this
/// module. The rules of `Portable` also apply here. In addition, other modules may use only the functions of `KernelFamily`,
/// because all code of this module requires these instructions.
public enum NEONBF16 {}

/// The name that the sources in `Shared` and `NEONShared` extend. The folders are symbolic links, because every kernel module
/// compiles them for its own CPU. See `Sources/Kernels/README.md`.
typealias Kernels = NEONBF16

extension NEONBF16 {
    /// The number of operations per round: 16 products of matrices (2, 4) and (4, 2), each a multiplication and an addition.
    public static var peakOperations: Int { 512 }

    /// Runs the peak loop with bfloat16 numbers.
    public static func peak(iterations: Int) -> Float {
        let factor = SIMD8<UInt16>(repeating: UInt16(truncatingIfNeeded: iterations) & 0x7f | 0x3f80)
        var sums = InlineArray<16, SIMD4<Float>>(repeating: .zero)
        var iteration = 0
        while iteration < iterations {
            var chain = 0
            while chain < 16 {
                sums[unchecked: chain] = trinity_multiply_matrices(sums[unchecked: chain], factor, factor)
                chain += 1
            }
            iteration += 1
        }
        var total = SIMD4<Float>.zero
        var chain = 0
        while chain < 16 {
            total = total + sums[unchecked: chain]
            chain += 1
        }
        return total[0]
    }

    /// Whether some products take encoded activations. Those with bfloat16 and float8 weights do.
    public static var encodesActivations: Bool { true }

    /// Encodes activations, with rounding to nearest, ties to even.
    public static func encode(
        source: UnsafePointer<Float>, count: Int, padding: Int, target: UnsafeMutablePointer<UInt16>, lowOffset: Int?
    ) {
        var i = 0
        while i < count {
            let left = count - i
            let values = load(source, i, count: left)
            let high = bfloat16(values)
            let rounded = unsafeBitCast(SIMD16<UInt32>(truncatingIfNeeded: high) &<< 16, to: SIMD16<Float>.self)
            store(high, target + i, count: left)
            if let lowOffset { store(bfloat16(values - rounded), target + lowOffset + i, count: left) }
            i += 16
        }
        i = 0
        while i < padding {
            target[count + i] = 0
            if let lowOffset { target[lowOffset + count + i] = 0 }
            i += 1
        }
    }

    @inline(__always)
    private static func store(_ values: SIMD16<UInt16>, _ target: UnsafeMutablePointer<UInt16>, count: Int) {
        var lane = 0
        while lane < 16 && lane < count {
            target[lane] = values[lane]
            lane += 1
        }
    }

    @inline(__always)
    private static func bfloat16(_ values: SIMD16<Float>) -> SIMD16<UInt16> {
        SIMD16(
            lowHalf: trinity_to_bfloat16(values.lowHalf.lowHalf, values.lowHalf.highHalf),
            highHalf: trinity_to_bfloat16(values.highHalf.lowHalf, values.highHalf.highHalf))
    }
}
