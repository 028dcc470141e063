/// The kernels for CPUs with AVX2 and FMA (x86-64-v3).
///
/// They compute as `Portable` does, in wider registers and with fused multiply-adds. The rules of `Portable` hold here
/// too, and one more: nothing of this module but the functions of `KernelFamily` may be used elsewhere, for all its
/// code needs these instructions.
public enum AVX2 {}

/// The name under which the sources in `Shared` add to this module's family. That folder is a symbolic link, because every
/// kernel module compiles it for its own CPU; `Sources/Kernels/README.md` says more.
typealias Kernels = AVX2

extension AVX2 {
    /// `largestTile` products of 16 lanes, each a multiplication and an addition.
    public static var peakOperations: Int { largestTile * 32 }

    /// Of float32 numbers.
    public static func peak(iterations: Int) -> Float { multiplyFloat32(iterations: iterations) }
}
