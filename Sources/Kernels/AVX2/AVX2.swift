/// The kernels for CPUs with AVX2 and FMA (x86-64-v3).
///
/// They compute as `Portable` does, in wider registers and with fused multiply-adds. The rules of `Portable` hold here
/// too, and one more: nothing of this module but functions over pointers and numbers may be used elsewhere, for all its
/// code needs these instructions.
public enum AVX2 {}

/// The name under which the sources in `Shared` and `Panels` add to this target's set.
typealias Kernels = AVX2
