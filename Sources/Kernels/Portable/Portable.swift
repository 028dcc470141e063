/// The kernels in plain Swift, for any CPU: the specification that faster kernel sets are tested against.
///
/// Baseline instructions only. Only pointers, integers and floating point numbers cross the boundary of the module, and inside
/// there are no arrays, closures or generic calls that remain after inlining: the linker shares their code between modules, and
/// a module compiled for a newer CPU could replace it. Products are `a * b + c`, never fused, because without hardware support
/// a fused multiply-add is a function call per lane.
///
/// Every result depends only on its own row, not on the number of rows or on the thread.
public enum Portable {}

/// The name that the sources in `Shared` extend. That folder is a symbolic link, because every kernel module compiles it for
/// its own CPU; see `Sources/Kernels/README.md`.
typealias Kernels = Portable

extension Portable {
    /// `largestTile` products of 16 lanes, each a multiplication and an addition.
    public static var peakOperations: Int { largestTile * 32 }

    /// Of float32 numbers.
    public static func peak(iterations: Int) -> Float { multiplyFloat32(iterations: iterations) }
}
