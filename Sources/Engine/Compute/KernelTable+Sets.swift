import AVX512Kernels
import PortableKernels

extension KernelTable {
    /// Plain Swift for any CPU.
    static let portable = KernelTable(
        name: "portable",
        packFloat32: Portable.packFloat32,
        packFloat16: Portable.packFloat16,
        packBFloat16: Portable.packBFloat16,
        packFloat8: Portable.packFloat8,
        unpackRowFloat32: Portable.unpackRowFloat32,
        unpackRowBFloat16: Portable.unpackRowBFloat16,
        unpackRowFloat8: Portable.unpackRowFloat8,
        matmulFloat32: Portable.matmulFloat32,
        matmulBFloat16: Portable.matmulBFloat16,
        matmulFloat8: Portable.matmulFloat8,
        matmulBFloat16Exact: Portable.matmulBFloat16,
        matmulFloat8Exact: Portable.matmulFloat8,
        rmsNorm: Portable.rmsNorm,
        addRMSNorm: Portable.addRMSNorm,
        rotate: Portable.rotate,
        siluMultiply: Portable.siluMultiply,
        sigmoidMultiply: Portable.sigmoidMultiply,
        writeCacheFloat32: Portable.writeCacheFloat32,
        writeCacheBFloat16: Portable.writeCacheBFloat16,
        attendFloat32: Portable.attendFloat32,
        attendBFloat16: Portable.attendBFloat16,
        mergeSegment: Portable.mergeSegment,
        finishAttention: Portable.finishAttention,
        route: Portable.route,
        combineExperts: Portable.combineExperts,
        argmax: Portable.argmax,
        sumOfExponentials: Portable.sumOfExponentials)

    #if arch(x86_64)
        /// For CPUs with AVX-512, BF16 and VBMI, with activations to 16 bits of precision.
        static let avx512Exact: KernelTable = {
            var table = avx512Fast
            table.name = "avx512"
            table.matmulBFloat16 = table.matmulBFloat16Exact
            table.matmulFloat8 = table.matmulFloat8Exact
            return table
        }()

        /// The same with activations rounded to bfloat16.
        static let avx512Fast = KernelTable(
            name: "avx512-bf16",
            encode: AVX512.encode,
            packFloat32: AVX512.packFloat32,
            packFloat16: AVX512.packFloat16,
            packBFloat16: AVX512.packBFloat16,
            packFloat8: AVX512.packFloat8,
            unpackRowFloat32: AVX512.unpackRowFloat32,
            unpackRowBFloat16: AVX512.unpackRowBFloat16,
            unpackRowFloat8: AVX512.unpackRowFloat8,
            matmulFloat32: AVX512.matmulFloat32,
            matmulBFloat16: AVX512.matmulBFloat16,
            matmulFloat8: AVX512.matmulFloat8,
            matmulBFloat16Exact: AVX512.matmulBFloat16Exact,
            matmulFloat8Exact: AVX512.matmulFloat8Exact,
            rmsNorm: AVX512.rmsNorm,
            addRMSNorm: AVX512.addRMSNorm,
            rotate: AVX512.rotate,
            siluMultiply: AVX512.siluMultiply,
            sigmoidMultiply: AVX512.sigmoidMultiply,
            writeCacheFloat32: AVX512.writeCacheFloat32,
            writeCacheBFloat16: AVX512.writeCacheBFloat16,
            attendFloat32: AVX512.attendFloat32,
            attendBFloat16: AVX512.attendBFloat16,
            mergeSegment: AVX512.mergeSegment,
            finishAttention: AVX512.finishAttention,
            route: AVX512.route,
            combineExperts: AVX512.combineExperts,
            argmax: AVX512.argmax,
            sumOfExponentials: AVX512.sumOfExponentials)
    #endif
}
