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
        writeCacheFloat8: Portable.writeCacheFloat8,
        attendFloat32: Portable.attendFloat32,
        attendBFloat16: Portable.attendBFloat16,
        attendFloat8: Portable.attendFloat8,
        mergeSegment: Portable.mergeSegment,
        finishAttention: Portable.finishAttention,
        route: Portable.route,
        combineExperts: Portable.combineExperts,
        multiply: Portable.multiplyFloat32,
        operationsPerIteration: 64)
}
