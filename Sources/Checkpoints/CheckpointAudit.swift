/// Compares the tensors of a folder with those that its configuration implies, and collects every difference.
struct CheckpointAudit {
    private let stored: [String: StoredTensor]
    private let misplaced: [String: String]
    private let quantization: QuantizationConfig?
    /// Names of the tensors that were checked.
    private var known: Set<String> = []
    private(set) var problems: [String] = []
    /// Size of all tensors that passed.
    private(set) var bytes = 0

    init(stored: StoredTensors, quantization: QuantizationConfig?) {
        self.stored = stored.tensors
        misplaced = stored.misplaced
        self.quantization = quantization
    }

    /// The stored tensor and, for FP8, its scales; `nil` if a problem was recorded.
    mutating func check(_ expected: ExpectedTensor) -> (tensor: StoredTensor, scales: ScaleGrid?)? {
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
            return (tensor, nil)
        case .float8E4M3 where expected.role != .vector:
            guard let scales = checkScales(of: expected, tensor) else { return nil }
            return (tensor, scales)
        default:
            problems.append("wrong type: \(expected.name) is \(tensor.type.rawValue)")
            return nil
        }
    }

    /// Records every tensor that was not checked, except those that may be left unused.
    mutating func checkUnexpected(tiesEmbeddings: Bool) {
        for (name, tensor) in stored.sorted(by: { $0.key < $1.key }) where !known.contains(name) {
            let isHarmless =
                name.hasSuffix(".input_scale") || name.hasSuffix(".rotary_emb.inv_freq")
                || tiesEmbeddings && name == "lm_head.weight"
            if !isHarmless { problems.append("unexpected: \(name) \(tensor.type.rawValue) \(tensor.shape)") }
        }
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
        guard let quantization else {
            problems.append("wrong type: \(expected.name) is FP8, but config.json has no quantization_config")
            return nil
        }
        var (grid, shapes) = quantization.granularity.grid(rows: weight.shape[0], columns: weight.shape[1])
        guard shapes.contains(tensor.shape) else {
            let accepted = shapes.map { "\($0)" }.joined(separator: " or ")
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

    /// With a larger scale the largest FP8 code becomes infinite.
    private static let largestScale = Float.greatestFiniteMagnitude / Float8.largest

    /// Smaller scales have lost bits, or are zero and zero out a block. In E8M0 the smallest code is below the normal numbers
    /// of float32, but exact.
    private static func leastScale(of type: TensorType) -> Float {
        type == .float8E8M0 ? FloatConversion.e8m0(0) : .leastNormalMagnitude
    }
}

extension QuantizationConfig.Granularity {
    /// The grid for a matrix (rows, columns), without values yet, and the shapes in which checkpoints store it.
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
