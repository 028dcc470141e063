/// The kernels for CPUs with AVX-512, BF16 and VBMI.
///
/// What is in `Shared` computes as in `Portable`, in wider registers; products and attention are this set's own, with
/// fused multiply-adds. The rules of `Portable` hold here too, and one more: nothing of this module but functions over
/// pointers and numbers may be used elsewhere, for all its code needs these instructions.
public enum AVX512 {}

/// The name under which the sources in `Shared`, compiled into every kernel target, add to the target's set.
typealias Kernels = AVX512
