import CIntrinsics
import KernelInterface
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

    /// The kernels that train in bfloat16.
    package var trainingKernels: any TrainingKernels.Type {
        switch self {
        #if arch(x86_64)
            case .portable: Portable.self
            case .avx2: AVX2.self
            case .avx512: AVX512.self
        #else
            case .portable, .avx2, .avx512: Portable.self
        #endif
        }
    }

    /// Operations that a pool's threads can do in a second with the fastest set, in registers; takes some 20 ms.
    package static func peakRate(of pool: WorkerPool) -> Double {
        RooflineProbe(pool: pool, isQuick: false, bytes: 1, time: .milliseconds(20))
            .operationRate(kernels: .best(.fast)) * 1e9
    }

    /// The kernels, with the precision of activations that `compute` requires; a set without bfloat16 arithmetic always uses
    /// float32.
    func table(_ compute: EngineOptions.Compute) -> KernelTable {
        let terms = compute.integerTerms
        switch self {
        #if arch(x86_64)
            case .portable: return KernelTable(name: "portable", family: Portable.self, integerTerms: terms)
            case .avx2: return KernelTable(name: "avx2", family: AVX2.self, integerTerms: terms)
            case .avx512:
                let rounds = compute != .exact
                return KernelTable(
                    name: rounds ? "avx512-bf16" : "avx512", family: AVX512.self, roundsActivations: rounds,
                    integerTerms: terms)
        #else
            case .portable, .avx2, .avx512:
                return KernelTable(name: "portable", family: Portable.self, integerTerms: terms)
        #endif
        }
    }
}

extension EngineOptions.Compute {
    /// Bytes of the integers that multiply quantized weights.
    var integerTerms: Int {
        switch self {
        case .exact, .blas: 3
        case .fast: 2
        case .int8: 1
        }
    }
}

extension KernelTable {
    /// Plain Swift for any CPU.
    static let portable = KernelTable(name: "portable", family: Portable.self)

    /// The fastest set of this machine, for all modes but `blas`; ``blas()`` is separate, since its library may be missing.
    package static func best(_ compute: EngineOptions.Compute) -> KernelTable {
        precondition(compute != .blas, "OpenBLAS is not a kernel set")
        return (KernelSet.available.last ?? .portable).table(compute)
    }

    /// Every table that this machine supports.
    static let available: [KernelTable] = KernelSet.available.flatMap { set in
        set == .avx512 ? [set.table(.exact), set.table(.fast)] : [set.table(.exact)]
    }
}
