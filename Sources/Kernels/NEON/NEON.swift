/// The kernels for arm64 CPUs with products of bytes (Armv8.2-A with FEAT_DotProd).
///
/// They compute the same as `AVX2`, bit for bit except for the bits of a NaN. The rules of `Portable` apply here too, and one
/// more: only the functions of `KernelFamily` may be used by other modules, because all code of this module needs these
/// instructions.
public enum NEON {}

/// The name that the sources in `Shared` and `NEONShared` extend. These folders are symbolic links, because every kernel module
/// compiles them for its own CPU; see `Sources/Kernels/README.md`.
typealias Kernels = NEON

extension NEON {
    /// `largestTile` products of 16 lanes, each a multiplication and an addition.
    public static var peakOperations: Int { largestTile * 32 }

    /// Of float32 numbers.
    public static func peak(iterations: Int) -> Float { multiplyFloat32(iterations: iterations) }
}
