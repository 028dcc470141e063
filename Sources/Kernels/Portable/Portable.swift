/// The kernels in plain Swift, for any CPU: the specification that faster kernel sets are tested against.
///
/// Baseline instructions only. Everything that crosses the module's edge is a pointer, an integer or a number, and
/// inside there are no arrays, closures or generic calls that survive inlining: their code is shared between modules by
/// the linker, and a module compiled for a newer CPU could replace it. Products are `a * b + c`, never fused, because a
/// fused multiply-add without hardware for it is a function call a lane.
///
/// Every result depends on its own row alone: not on how many rows come with it, nor on which thread runs it.
public enum Portable {}

/// The name under which the sources in `Shared` add to this module's family. That folder is a symbolic link, because every
/// kernel module compiles it for its own CPU; `Sources/Kernels/README.md` says more.
typealias Kernels = Portable

extension Portable {
    /// `largestTile` products of 16 lanes, each a multiplication and an addition.
    public static var peakOperations: Int { largestTile * 32 }

    /// Of float32 numbers.
    public static func peak(iterations: Int) -> Float { multiplyFloat32(iterations: iterations) }
}
