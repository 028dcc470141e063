/// The kernels for CPUs with AVX2 and FMA (x86-64-v3).
///
/// They compute the same as `Portable`, in wider registers and with fused multiply-adds. The rules of `Portable` apply here
/// too, and one more: only the functions of `KernelFamily` may be used by other modules, because all code of this module needs
/// these instructions.
public enum AVX2 {}

/// The name that the sources in `Shared` extend. That folder is a symbolic link, because every kernel module compiles it for
/// its own CPU; see `Sources/Kernels/README.md`.
typealias Kernels = AVX2

extension AVX2 {
    /// `largestTile` products of 16 lanes, each a multiplication and an addition.
    public static var peakOperations: Int { largestTile * 32 }

    /// Of float32 numbers.
    public static func peak(iterations: Int) -> Float { multiplyFloat32(iterations: iterations) }
}
