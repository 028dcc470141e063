/// The kernels in plain Swift, for any CPU: the specification that faster kernel sets are tested against.
///
/// Baseline instructions only. Everything that crosses the module's edge is a pointer, an integer or a number, and
/// inside there are no arrays, closures or generic calls that survive inlining: their code is shared between modules by
/// the linker, and a module compiled for a newer CPU could replace it. Products are `a * b + c`, never fused, because a
/// fused multiply-add without hardware for it is a function call a lane.
///
/// Every result depends on its own row alone: not on how many rows come with it, nor on which thread runs it.
public enum Portable {}

/// The name under which the sources in `Shared`, compiled into every kernel target, add to the target's set.
typealias Kernels = Portable
