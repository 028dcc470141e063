/// The kernels for CPUs with AVX2 and FMA (x86-64-v3).
///
/// They compute the same as `Portable`, in wider registers and with fused multiply-adds. The rules of `Portable` also apply here.
/// In addition, other modules may use only the functions of `KernelFamily`, because all code of this module requires these
/// instructions.
public enum AVX2 {}

/// The name that the sources in `Shared` extend. The folder is a symbolic link, because every kernel module compiles it for its own
/// CPU. See `Sources/Kernels/README.md`.
typealias Kernels = AVX2

extension AVX2 {
    /// The number of operations per round: `largestTile` products of 16 lanes, each a multiplication and an addition.
    public static var peakOperations: Int { largestTile * 32 }

    /// Runs the peak loop with float32 numbers.
    public static func peak(iterations: Int) -> Float { multiplyFloat32(iterations: iterations) }
}
