import CIntrinsics
import PortableKernels

#if arch(x86_64)
    import AVX2Kernels
    import AVX512Kernels
#endif

/// The available instruction sets of kernels, in ascending order of speed.
public enum KernelSet: String, Sendable, CaseIterable {
    /// Any CPU.
    case portable
    /// x86-64-v3: AVX2 and FMA.
    case avx2
    /// x86-64-v4 with BF16, VBMI and VNNI.
    case avx512

    /// The sets that this machine's CPU supports.
    public static let available = allCases.filter(\.isAvailable)

    private var isAvailable: Bool {
        switch self {
        case .portable: true
        case .avx2: trinity_has_avx2() != 0
        case .avx512: trinity_has_avx512() != 0
        }
    }

    /// The kernels, with the precision of activations that `compute` requires; a set without bfloat16 arithmetic always uses
    /// float32.
    func table(_ compute: EngineOptions.Compute) -> KernelTable {
        switch self {
        case .portable: .portable
        #if arch(x86_64)
            case .avx2: KernelTable(name: "avx2", family: AVX2.self)
            case .avx512:
                compute == .exact
                    ? KernelTable(name: "avx512", family: AVX512.self)
                    : KernelTable(name: "avx512-bf16", family: AVX512.self, roundsActivations: true)
        #else
            case .avx2, .avx512: .portable
        #endif
        }
    }
}

extension KernelTable {
    /// Plain Swift for any CPU.
    static let portable = KernelTable(name: "portable", family: Portable.self)

    /// The fastest set of this machine, for `fast` and `exact`; ``blas()`` is separate, since its library may be missing.
    static func best(_ compute: EngineOptions.Compute) -> KernelTable {
        precondition(compute != .blas, "OpenBLAS is not a kernel set")
        return (KernelSet.available.last ?? .portable).table(compute)
    }

    /// Every table that this machine supports.
    static let available: [KernelTable] = KernelSet.available.flatMap { set in
        set == .avx512 ? [set.table(.exact), set.table(.fast)] : [set.table(.exact)]
    }
}
