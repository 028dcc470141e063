import KernelInterface

/// The single list of this family's kernels. The other kernels are in the files of `Shared`, under the names of the protocol,
/// or, if they are specific to a family, in its folder.
extension Kernels: TrainingKernels {
    /// One row for each weight format.
    public static func weights(_ format: WeightFormat) -> any WeightKernels.Type {
        switch format {
        case .float32: Float32Weights.self
        case .float16: Float16Weights.self
        case .bfloat16: BFloat16Weights.self
        case .float8: Float8Weights.self
        }
    }

    /// One row for each cache format.
    public static func cache(_ format: CacheFormat) -> any CacheKernels.Type {
        switch format {
        case .float32: Float32Cache.self
        case .bfloat16: BFloat16Cache.self
        case .float8: Float8Cache.self
        }
    }
}
