/// A tensor of a model, as its files store it.
enum StoredWeight {
    /// A tensor in a 16-bit or 32-bit floating-point type.
    case wide(StoredTensor)
    case float8(StoredTensor, ScaleGrid)
    case quantized(any QuantizedMatrix)

    var elements: Int {
        switch self {
        case .wide(let tensor), .float8(let tensor, _): tensor.bytes.count / tensor.type.size
        case .quantized(let matrix): matrix.rows * matrix.columns
        }
    }

    /// The parts of the files that store the tensor, without the scales of FP8, which are copied.
    var parts: [MappedBytes] {
        switch self {
        case .wide(let tensor), .float8(let tensor, _): [MappedBytes(tensor)]
        case .quantized(let matrix): matrix.parts
        }
    }
}

/// Compares the tensors of a model's files with those that its configuration requires, and collects every difference.
protocol WeightAudit {
    var problems: [String] { get }
    /// The size of all tensors that passed, in bytes.
    var bytes: Int { get }
    /// Whether the files contain scales of activations or of the KV cache, which are not used.
    var hasUnusedScales: Bool { get }

    /// Returns the stored tensor; `nil` if a problem was recorded.
    mutating func check(_ expected: ExpectedTensor) -> StoredWeight?

    /// Records a problem for every tensor that was not checked, except those that may be ignored.
    mutating func checkUnexpected(tiesEmbeddings: Bool)
}
