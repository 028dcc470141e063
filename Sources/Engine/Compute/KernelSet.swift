import CIntrinsics
import KernelInterface
import PortableKernels

#if arch(x86_64)
    import AVX2Kernels
    import AVX512Kernels
#elseif arch(arm64)
    import NEONBF16Kernels
    import NEONKernels
#endif

/// The instruction sets that kernels are available for, in ascending order of speed.
public enum KernelSet: String, Sendable, CaseIterable {
    /// Any CPU.
    case portable
    #if arch(x86_64)
        /// x86-64-v3: AVX2 and FMA.
        case avx2
        /// x86-64-v4 with BF16, VBMI and VNNI.
        case avx512
    #elseif arch(arm64)
        /// Armv8.2-A with dot products of bytes (FEAT_DotProd).
        case neon
        /// The same with products of bfloat16 (FEAT_BF16) and of signed and unsigned bytes (FEAT_I8MM).
        case neonBF16 = "neon-bf16"
    #endif

    /// The sets that this machine's CPU supports.
    public static let available = allCases.filter(\.isAvailable)

    private var isAvailable: Bool {
        switch self {
        case .portable: true
        #if arch(x86_64)
            case .avx2: trinity_has_avx2() != 0
            case .avx512: trinity_has_avx512() != 0
        #elseif arch(arm64)
            case .neon: trinity_has_neon() != 0
            case .neonBF16: trinity_has_neon_bf16() != 0
        #endif
        }
    }

    /// The kernels for training in bfloat16.
    package var trainingKernels: any TrainingKernels.Type {
        #if arch(x86_64)
            switch self {
            case .portable: Portable.self
            case .avx2: AVX2.self
            case .avx512: AVX512.self
            }
        #else
            Portable.self
        #endif
    }

    /// Returns the number of operations per second that a pool's threads can execute in registers with the fastest set. Takes about
    /// 20 ms.
    package static func peakRate(of pool: WorkerPool) -> Double {
        RooflineProbe(pool: pool, isQuick: false, bytes: 1, time: .milliseconds(20))
            .operationRate(kernels: .best(.fast)) * 1e9
    }

    /// Whether products with bfloat16 and float8 weights support activations rounded to bfloat16.
    var multipliesBFloat16: Bool {
        #if arch(x86_64)
            self == .avx512
        #elseif arch(arm64)
            self == .neonBF16
        #else
            false
        #endif
    }

    /// Returns the kernels with the precision of activations that `compute` requires. A set without bfloat16 arithmetic always uses
    /// float32.
    func table(_ compute: EngineOptions.Compute) -> KernelTable {
        let terms = compute.integerTerms
        let rounds = multipliesBFloat16 && compute != .exact
        switch self {
        case .portable: return KernelTable(name: "portable", family: Portable.self, integerTerms: terms)
        #if arch(x86_64)
            case .avx2: return KernelTable(name: "avx2", family: AVX2.self, integerTerms: terms)
            case .avx512:
                return KernelTable(
                    name: rounds ? "avx512-bf16" : "avx512", family: AVX512.self, roundsActivations: rounds,
                    integerTerms: terms)
        #elseif arch(arm64)
            case .neon: return KernelTable(name: "neon", family: NEON.self, integerTerms: terms)
            case .neonBF16:
                return KernelTable(
                    name: rounds ? "neon-bf16" : "neon-bf16-exact", family: NEONBF16.self, roundsActivations: rounds,
                    integerTerms: terms)
        #endif
        }
    }
}

extension EngineOptions.Compute {
    /// The size in bytes of the integers that multiply quantized weights.
    var integerTerms: Int {
        switch self {
        case .exact, .blas: 3
        case .fast: 2
        case .int8: 1
        }
    }
}

extension KernelTable {
    /// The kernels in plain Swift, for any CPU.
    static let portable = KernelTable(name: "portable", family: Portable.self)

    /// Returns the fastest kernels of this machine for all modes except `blas`. ``blas()`` is separate, because its library may be
    /// missing.
    package static func best(_ compute: EngineOptions.Compute) -> KernelTable {
        precondition(compute != .blas, "OpenBLAS is not a kernel set")
        return (KernelSet.available.last ?? .portable).table(compute)
    }

    /// All tables that this machine supports.
    static let available: [KernelTable] = KernelSet.available.flatMap { set in
        set.multipliesBFloat16 ? [set.table(.exact), set.table(.fast)] : [set.table(.exact)]
    }
}
