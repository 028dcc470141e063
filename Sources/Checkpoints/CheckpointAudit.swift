/// Compares the tensors of a folder with those that its configuration requires, and collects every difference.
struct CheckpointAudit: WeightAudit {
    let stored: [String: StoredTensor]
    private let misplaced: [String: String]
    let quantization: QuantizationConfig?
    /// Names of the tensors that were checked.
    var known: Set<String> = []
    var problems: [String] = []
    /// The size of all tensors that passed, in bytes.
    var bytes = 0
    /// Whether the files contain scales of activations or of the KV cache, which are not used.
    private(set) var hasUnusedScales = false

    init(stored: StoredTensors, quantization: QuantizationConfig?) {
        self.stored = stored.tensors
        misplaced = stored.misplaced
        self.quantization = quantization
    }

    mutating func check(_ expected: ExpectedTensor) -> StoredWeight? {
        if isQuantized(expected) { return checkQuantized(expected).map(StoredWeight.quantized) }
        known.insert(expected.name)
        guard let tensor = stored[expected.name] else {
            let promise = misplaced[expected.name].map { ", which \(StoredTensors.indexName) places in \($0)" } ?? ""
            problems.append("missing: \(expected.name) \(expected.shape)\(promise)")
            return nil
        }
        guard tensor.shape == expected.shape else {
            problems.append("wrong shape: \(expected.name) is \(tensor.shape), expected \(expected.shape)")
            return nil
        }
        switch tensor.type {
        case .float32, .bfloat16, .float16:
            bytes += tensor.bytes.count
            return .wide(tensor)
        case .float8E4M3 where expected.role != .vector:
            guard let scales = checkScales(of: expected, tensor) else { return nil }
            return .float8(tensor, scales)
        default:
            problems.append("wrong type: \(expected.name) is \(tensor.type.rawValue)")
            return nil
        }
    }

    mutating func checkUnexpected(tiesEmbeddings: Bool) {
        var unexpected: [String] = []
        for (name, tensor) in stored.sorted(by: { $0.key < $1.key }) where !known.contains(name) {
            if StoredTensors.isUnusedScale(name) { hasUnusedScales = true }
            guard !StoredTensors.isUnused(name, tensor, tiesEmbeddings: tiesEmbeddings) else { continue }
            unexpected.append("unexpected: \(name) \(tensor.type.rawValue) \(tensor.shape)")
        }
        // The shorter list comes first, because a long list is cut off in the message.
        problems = unexpected.count < problems.count ? unexpected + problems : problems + unexpected
    }

    private mutating func checkScales(of expected: ExpectedTensor, _ weight: StoredTensor) -> ScaleGrid? {
        let candidates = ["\(expected.name)_scale", "\(expected.name)_scale_inv"].filter { stored[$0] != nil }
        known.formUnion(candidates)
        guard candidates.count == 1, let name = candidates.first, let tensor = stored[name] else {
            problems.append(
                candidates.isEmpty
                    ? "missing: \(expected.name)_scale, the scales of an FP8 weight"
                    : "unexpected: both \(candidates.joined(separator: " and "))")
            return nil
        }
        guard let granularities = quantization?.granularities, !granularities.isEmpty else {
            let config =
                quantization == nil ? "config.json has no quantization_config" : "quantization_config says otherwise"
            problems.append("wrong type: \(expected.name) is FP8, but \(config)")
            return nil
        }
        // If several granularities match, they mean the same for this matrix.
        let grids = granularities.map { $0.grid(rows: weight.shape[0], columns: weight.shape[1]) }
        guard var grid = grids.first(where: { $0.shapes.contains(tensor.shape) })?.grid else {
            let accepted = grids.flatMap(\.shapes).map { "\($0)" }.joined(separator: " or ")
            problems.append("wrong shape: \(name) is \(tensor.shape), expected \(accepted)")
            return nil
        }
        guard let values = FloatConversion.floats(tensor.bytes, type: tensor.type) else {
            problems.append("wrong type: \(name) is \(tensor.type.rawValue)")
            return nil
        }
        let least = Self.leastScale(of: tensor.type)
        if let index = values.firstIndex(where: { !($0 >= least && $0 <= Self.largestScale) }) {
            problems.append(
                """
                unusable scale: \(name) is \(values[index]) at \(index), expected a number from \(least) to \
                \(Self.largestScale)
                """)
            return nil
        }
        grid.values = values
        bytes += weight.bytes.count + tensor.bytes.count
        return grid
    }

    /// The largest valid scale; with a larger one, the largest FP8 code would become infinite.
    private static let largestScale = Float.greatestFiniteMagnitude / Float8.largest

    /// Returns the smallest valid scale. Smaller scales are subnormal and have lost bits, or are zero and would zero out a block.
    /// In E8M0 the smallest code is subnormal in float32, but exact.
    private static func leastScale(of type: TensorType) -> Float {
        type == .float8E8M0 ? FloatConversion.e8m0(0) : .leastNormalMagnitude
    }
}

extension QuantizationConfig.Granularity {
    /// Returns the grid of a matrix (rows, columns), without values, and the shapes in which checkpoints store it.
    fileprivate func grid(rows: Int, columns: Int) -> (grid: ScaleGrid, shapes: [[Int]]) {
        switch self {
        case .tensor:
            return (ScaleGrid(blockRows: rows, blockColumns: columns, gridColumns: 1, values: []), [[1], [], [1, 1]])
        case .channel:
            return (ScaleGrid(blockRows: 1, blockColumns: columns, gridColumns: 1, values: []), [[rows, 1], [rows]])
        case .block(let blockRows, let blockColumns):
            let gridRows = (rows + blockRows - 1) / blockRows
            let gridColumns = (columns + blockColumns - 1) / blockColumns
            return (
                ScaleGrid(blockRows: blockRows, blockColumns: blockColumns, gridColumns: gridColumns, values: []),
                [[gridRows, gridColumns]]
            )
        }
    }
}
