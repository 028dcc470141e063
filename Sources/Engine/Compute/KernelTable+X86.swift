#if arch(x86_64)
    import AVX2Kernels
    import AVX512Kernels

    extension KernelTable {
        /// For CPUs with AVX2 and FMA.
        static let avx2 = KernelTable(
            name: "avx2",
            packFloat32: AVX2.packFloat32,
            packFloat16: AVX2.packFloat16,
            packBFloat16: AVX2.packBFloat16,
            packFloat8: AVX2.packFloat8,
            unpackRowFloat32: AVX2.unpackRowFloat32,
            unpackRowBFloat16: AVX2.unpackRowBFloat16,
            unpackRowFloat8: AVX2.unpackRowFloat8,
            matmulFloat32: AVX2.matmulFloat32,
            matmulBFloat16: AVX2.matmulBFloat16,
            matmulFloat8: AVX2.matmulFloat8,
            matmulBFloat16Exact: AVX2.matmulBFloat16,
            matmulFloat8Exact: AVX2.matmulFloat8,
            rmsNorm: AVX2.rmsNorm,
            addRMSNorm: AVX2.addRMSNorm,
            rotate: AVX2.rotate,
            siluMultiply: AVX2.siluMultiply,
            sigmoidMultiply: AVX2.sigmoidMultiply,
            writeCacheFloat32: AVX2.writeCacheFloat32,
            writeCacheBFloat16: AVX2.writeCacheBFloat16,
            writeCacheFloat8: AVX2.writeCacheFloat8,
            attendFloat32: AVX2.attendFloat32,
            attendBFloat16: AVX2.attendBFloat16,
            attendFloat8: AVX2.attendFloat8,
            mergeSegment: AVX2.mergeSegment,
            finishAttention: AVX2.finishAttention,
            route: AVX2.route,
            combineExperts: AVX2.combineExperts,
            multiply: AVX2.multiplyFloat32,
            operationsPerIteration: 128)

        /// For CPUs with AVX-512, BF16 and VBMI, with activations to 16 bits of precision.
        static let avx512Exact: KernelTable = {
            var table = avx512Fast
            table.name = "avx512"
            table.matmulBFloat16 = table.matmulBFloat16Exact
            table.matmulFloat8 = table.matmulFloat8Exact
            table.attendFloat8 = AVX512.attendFloat8
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
            writeCacheFloat8: AVX512.writeCacheFloat8,
            attendFloat32: AVX512.attendFloat32,
            attendBFloat16: AVX512.attendBFloat16,
            attendFloat8: AVX512.attendFloat8Rounded,
            mergeSegment: AVX512.mergeSegment,
            finishAttention: AVX512.finishAttention,
            route: AVX512.route,
            combineExperts: AVX512.combineExperts,
            multiply: AVX512.multiplyBFloat16,
            operationsPerIteration: 1024)
    }
#endif
