import KernelInterface

/// The number format of cached keys and values.
public enum KVDataType: String, Sendable, CaseIterable {
    case f32
    /// Bfloat16. Values are rounded to nearest, ties to even, when they are written.
    case bf16
    /// E4M3FN. Each head has one scale for a token's keys and one for its values, which are chosen when they are written.
    case fp8

    /// The corresponding format of the kernels.
    var cacheFormat: CacheFormat {
        switch self {
        case .f32: .float32
        case .bf16: .bfloat16
        case .fp8: .float8
        }
    }

    /// Returns the number of bytes of a head's keys and values of one token.
    package func bytesPerToken(headDimension: Int) -> Int {
        switch self {
        case .f32: 8 * headDimension
        case .bf16: 4 * headDimension
        case .fp8: 2 * headDimension + 8
        }
    }
}
