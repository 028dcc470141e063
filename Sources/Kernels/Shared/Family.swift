import KernelInterface

/// The list of this family's kernels. The other kernels are in the files of `Shared`, under the names of the protocol, or in the
/// folder of a family if they are specific to it.
extension Kernels: TrainingKernels {
    /// Returns the kernels of a weight format.
    public static func weights(_ format: WeightFormat) -> any WeightKernels.Type {
        switch format {
        case .float32: Float32Weights.self
        case .float16: Float16Weights.self
        case .bfloat16: BFloat16Weights.self
        case .float8: Float8Weights.self
        }
    }

    /// Returns the kernels of a cache format.
    public static func cache(_ format: CacheFormat) -> any CacheKernels.Type {
        switch format {
        case .float32: Float32Cache.self
        case .bfloat16: BFloat16Cache.self
        case .float8: Float8Cache.self
        }
    }
}
