/// The kernels in plain Swift, for any CPU. They are the specification that faster kernel sets are tested against.
///
/// The module uses only baseline instructions. Only pointers, integers and floating-point numbers cross its boundary, and it
/// contains no arrays, closures or generic calls that remain after inlining: the linker shares their code between modules, so code
/// of a module compiled for a newer CPU could replace it. Products are `a * b + c`, never fused, because without hardware support a
/// fused multiply-add is a function call per lane.
///
/// A result depends only on its own row, not on the number of rows or on the thread.
public enum Portable {}

/// The name that the sources in `Shared` extend. The folder is a symbolic link, because every kernel module compiles it for its own
/// CPU. See `Sources/Kernels/README.md`.
typealias Kernels = Portable

extension Portable {
    /// The number of operations per round: `largestTile` products of 16 lanes, each a multiplication and an addition.
    public static var peakOperations: Int { largestTile * 32 }

    /// Runs the peak loop with float32 numbers.
    public static func peak(iterations: Int) -> Float { multiplyFloat32(iterations: iterations) }
}
