import KernelInterface

/// The one list of this family's kernels. What is not here is in the files of `Shared` under the names of the protocol,
/// and, for what each family does in its own way, in the family's folder.
extension Kernels: KernelFamily {
    /// One row for each format of weights.
    public static func weights(_ format: WeightFormat) -> any WeightKernels.Type {
        switch format {
        case .float32: Float32Weights.self
        case .float16: Float16Weights.self
        case .bfloat16: BFloat16Weights.self
        case .float8: Float8Weights.self
        }
    }

    /// One row for each format of the cache.
    public static func cache(_ format: CacheFormat) -> any CacheKernels.Type {
        switch format {
        case .float32: Float32Cache.self
        case .bfloat16: BFloat16Cache.self
        case .float8: Float8Cache.self
        }
    }
}
