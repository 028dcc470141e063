/// The kernels for CPUs with AVX-512, BF16 and VBMI.
///
/// What is in `Shared` computes as in `Portable`, in wider registers and with fused multiply-adds; products with bfloat16 and
/// float8 weights and rounded attention are this module's own. The rules of `Portable` hold here too, and one more: nothing of
/// this module but the functions of `KernelFamily` may be used elsewhere, for all its code needs these instructions.
public enum AVX512 {}

/// The name under which the sources in `Shared` add to this module's family. That folder is a symbolic link, because every
/// kernel module compiles it for its own CPU; `Sources/Kernels/README.md` says more.
typealias Kernels = AVX512
