/// The kernels for CPUs with AVX-512, BF16, VBMI and VNNI.
///
/// The sources in `Shared` compute the same as in `Portable`, in wider registers and with fused multiply-adds. Products with
/// bfloat16 and float8 weights and rounded attention are specific to this module. The rules of `Portable` also apply here. In
/// addition, other modules may use only the functions of `KernelFamily`, because all code of this module requires these
/// instructions.
public enum AVX512 {}

/// The name that the sources in `Shared` extend. The folder is a symbolic link, because every kernel module compiles it for its own
/// CPU. See `Sources/Kernels/README.md`.
typealias Kernels = AVX512
