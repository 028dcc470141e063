/// The kernels for arm64 CPUs with dot products of bytes (Armv8.2-A with FEAT_DotProd).
///
/// They compute the same as `AVX2`, bit for bit except for the bits of a NaN. The rules of `Portable` also apply here. In addition,
/// other modules may use only the functions of `KernelFamily`, because all code of this module requires these instructions.
public enum NEON {}

/// The name that the sources in `Shared` and `NEONShared` extend. The folders are symbolic links, because every kernel module
/// compiles them for its own CPU. See `Sources/Kernels/README.md`.
typealias Kernels = NEON

extension NEON {
    /// The number of operations per round: `largestTile` products of 16 lanes, each a multiplication and an addition.
    public static var peakOperations: Int { largestTile * 32 }

    /// Runs the peak loop with float32 numbers.
    public static func peak(iterations: Int) -> Float { multiplyFloat32(iterations: iterations) }
}
