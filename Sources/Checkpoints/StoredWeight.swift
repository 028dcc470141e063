/// A tensor that a model needs, as its files store it.
enum StoredWeight {
    /// In a floating point type of 16 or 32 bits.
    case wide(StoredTensor)
    case float8(StoredTensor, ScaleGrid)
    case quantized(any QuantizedMatrix)

    var elements: Int {
        switch self {
        case .wide(let tensor), .float8(let tensor, _): tensor.bytes.count / tensor.type.size
        case .quantized(let matrix): matrix.rows * matrix.columns
        }
    }

    /// What the files have of it; scales of FP8, which are copied, are not included.
    var parts: [MappedBytes] {
        switch self {
        case .wide(let tensor), .float8(let tensor, _): [MappedBytes(tensor)]
        case .quantized(let matrix): matrix.parts
        }
    }
}

/// Compares the tensors of a model's files with those that its configuration implies, and collects every difference.
protocol WeightAudit {
    var problems: [String] { get }
    /// Size of all tensors that passed.
    var bytes: Int { get }
    /// Whether the files have scales of activations or of the KV cache, which are not used.
    var hasUnusedScales: Bool { get }

    /// The stored tensor; `nil` if a problem was recorded.
    mutating func check(_ expected: ExpectedTensor) -> StoredWeight?

    /// Records every tensor that was not checked, except those that may be left unused.
    mutating func checkUnexpected(tiesEmbeddings: Bool)
}
