/// The kernels for CPUs with AVX-512, BF16, VBMI and VNNI.
///
/// The sources in `Shared` compute the same as in `Portable`, in wider registers and with fused multiply-adds; products with
/// bfloat16 and float8 weights and rounded attention are specific to this module. The rules of `Portable` apply here too, and
/// one more: only the functions of `KernelFamily` may be used by other modules, because all code of this module needs these
/// instructions.
public enum AVX512 {}

/// The name that the sources in `Shared` extend. That folder is a symbolic link, because every kernel module compiles it for
/// its own CPU; see `Sources/Kernels/README.md`.
typealias Kernels = AVX512
