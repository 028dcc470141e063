import KernelInterface

// Checks matrices in formats below 8 bits and in 8-bit integers. The names and types of a module's tensors determine its format.
extension CheckpointAudit {
    /// Whether the files store the matrix in a quantized format other than FP8.
    func isQuantized(_ expected: ExpectedTensor) -> Bool {
        let module = expected.module
        guard expected.role != .vector else { return false }
        return stored["\(module).weight_packed"] != nil || stored["\(module).qweight"] != nil
            || [.uint8, .int8].contains(stored[expected.name]?.type)
    }

    /// Returns the matrix; `nil` if a problem was recorded.
    mutating func checkQuantized(_ expected: ExpectedTensor) -> (any QuantizedMatrix)? {
        guard let quantization else {
            problems.append("wrong type: \(expected.name) is quantized, but config.json has no quantization_config")
            return nil
        }
        guard !expected.isRouter else {
            problems.append("not supported: \(expected.name) is a quantized router")
            return nil
        }
        let (module, rows, columns) = (expected.module, expected.shape[0], expected.shape[1])
        let layout = CompressedLayout(module: module, rows: rows, columns: columns)
        let matrix: (any QuantizedMatrix)? =
            switch stored["\(module).weight_packed"]?.type {
            case .uint8: checkFloats(layout)
            case nil where stored["\(module).qweight"] != nil: checkTransposed(module, rows, columns, quantization)
            case nil where stored[expected.name]?.type == .int8: checkBytes(layout, quantization)
            case nil: checkModelOpt(layout)
            default: checkIntegers(layout, quantization)
            }
        bytes += matrix?.bytes ?? 0
        return matrix
    }

    private static let scaleTypes: [TensorType] = [.bfloat16, .float16, .float32]

    private mutating func checkIntegers(
        _ layout: CompressedLayout, _ quantization: QuantizationConfig
    ) -> (any QuantizedMatrix)? {
        let (rows, columns, scaleName) = (layout.rows, layout.columns, layout.name("scale"))
        guard let codes = part(layout.integers(bits: 4), layout.integers(bits: 8)),
            let scales = part(scaleName, Self.scaleTypes, nil), let shape = part(layout.shape)
        else { return nil }
        guard shape.integers == [rows, columns] else {
            problems.append(
                "wrong shape: \(layout.shape.name) is \(shape.integers), expected [\(rows), \(columns)]")
            return nil
        }
        guard let groups = groups(of: scales, scaleName, rows, columns, quantization, isTransposed: false),
            checkOrder(layout.name("g_idx"), groups, columns)
        else { return nil }
        let bits = codes.shape == layout.integers(bits: 4).shape ? 4 : 8
        let points = layout.zeroPoints(bits: bits, groups: groups.count)
        let isAsymmetric = stored[points.name] != nil
        let zeroPoints = isAsymmetric ? part(points) : nil
        if isAsymmetric && zeroPoints == nil { return nil }
        let format = QuantizedFormat.integers(
            bits: bits, groups: groups, scales: scales.type.scales, isAsymmetric: isAsymmetric)
        return StoredCodes(
            format, rows: rows, columns: columns, groups: groups, codes: codes, scales: scales, zeroPoints: zeroPoints)
    }

    /// Checks a matrix of 8-bit integers that are not packed. It has scales for groups of columns, or one for each row, or one.
    private mutating func checkBytes(
        _ layout: CompressedLayout, _ quantization: QuantizationConfig
    ) -> (any QuantizedMatrix)? {
        let (rows, columns, scaleName) = (layout.rows, layout.columns, layout.name("scale"))
        guard let codes = part("\(layout.module).weight", [.int8], [[rows, columns]]),
            let scales = part(scaleName, Self.scaleTypes, nil)
        else { return nil }
        let found =
            scales.isSingle
            ? ColumnGroups(of: columns, columns: columns)
            : groups(of: scales, scaleName, rows, columns, quantization, isTransposed: false)
        guard let groups = found, checkOrder(layout.name("g_idx"), groups, columns) else { return nil }
        let name = layout.name("zero_point")
        let zeroPoints = stored[name] == nil ? nil : part(name, [.int8], [scales.shape])
        guard zeroPoints != nil || stored[name] == nil else { return nil }
        let format = QuantizedFormat.integers(
            bits: 8, groups: groups, scales: scales.type.scales, isAsymmetric: zeroPoints != nil)
        return StoredCodes(
            format, rows: rows, columns: columns, groups: groups, codes: codes, scales: scales, zeroPoints: zeroPoints,
            isSigned: true)
    }

    /// Checks a matrix of E2M1 codes. NVFP4 has E4M3 scales and a global scale; MXFP4 has exponents.
    private mutating func checkFloats(_ layout: CompressedLayout) -> (any QuantizedMatrix)? {
        let global = layout.globalScale
        guard stored[global.name] == nil, stored[layout.name("scale")]?.type != .float8E4M3 else {
            return checkNVFP4(layout, layout.floats, global: global, .divided)
        }
        let columns = layout.columns
        let exponents = layout.scales(.uint8, groups: columns / 32)
        guard let codes = part(layout.floats, wholeGroups: (columns, 32)),
            let scales = part(exponents.name, [exponents.type, .float8E8M0], [exponents.shape]),
            let groups = ColumnGroups(of: 32, columns: columns)
        else { return nil }
        return StoredCodes(.mxfp4, rows: layout.rows, columns: columns, groups: groups, codes: codes, scales: scales)
    }

    /// Checks a matrix of ModelOpt: NVFP4 with the same codes and scales under other names.
    private mutating func checkModelOpt(_ layout: CompressedLayout) -> (any QuantizedMatrix)? {
        var (codes, global) = (layout.floats, layout.globalScale)
        codes.name = "\(layout.module).weight"
        global.name = layout.name("scale_2")
        return checkNVFP4(layout, codes, global: global, .multiplied)
    }

    private mutating func checkNVFP4(
        _ layout: CompressedLayout, _ codes: CompressedLayout.Part, global: CompressedLayout.Part,
        _ use: QuantizedFormat.RowFactor
    ) -> (any QuantizedMatrix)? {
        let columns = layout.columns
        guard let codes = part(codes, wholeGroups: (columns, 16)),
            let scales = part(layout.scales(.float8E4M3, groups: columns / 16)),
            let scale = part(global.name, [global.type], [global.shape, []]),
            let groups = ColumnGroups(of: 16, columns: columns)
        else { return nil }
        let factor = scale.float(0) ?? .nan
        // The largest weight is the largest code times the largest scale of a group.
        let largest = 6 * Float8.largest
        guard (use == .divided ? largest / factor : largest * factor).isFinite else {
            problems.append(
                """
                unusable scale: \(global.name) is \(factor), expected a number that \(Int(largest)) can be \
                \(use == .divided ? "divided by" : "multiplied with") in float32
                """)
            return nil
        }
        return StoredCodes(
            .nvfp4(use), rows: layout.rows, columns: columns, groups: groups, codes: codes, scales: scales,
            factor: factor)
    }

    private mutating func checkTransposed(
        _ module: String, _ rows: Int, _ columns: Int, _ quantization: QuantizationConfig
    ) -> (any QuantizedMatrix)? {
        guard let order = quantization.order else {
            problems.append("wrong type: \(module).qweight, but the quant_method is neither awq nor gptq")
            return nil
        }
        let words = order == .outputs ? [columns, rows / 8] : [columns / 8, rows]
        guard rows.isMultiple(of: 8), order == .outputs || columns.isMultiple(of: 8) else {
            problems.append("wrong shape: \(module).qweight is for [\(rows), \(columns)], not multiples of 8")
            return nil
        }
        guard let codes = part("\(module).qweight", [.int32], [words]),
            let scales = part("\(module).scales", Self.scaleTypes, nil),
            let groups = groups(of: scales, "\(module).scales", rows, columns, quantization, isTransposed: true),
            let zeroPoints = part("\(module).qzeros", [.int32], [[groups.count, rows / 8]]),
            checkOrder("\(module).g_idx", groups, columns)
        else { return nil }
        return TransposedIntegers(
            order, rows: rows, columns: columns, groups: groups, codes: codes, scales: scales, zeroPoints: zeroPoints)
    }

    /// Returns the groups of columns that match the shape of the scales.
    private mutating func groups(
        of scales: StoredTensor, _ name: String, _ rows: Int, _ columns: Int, _ quantization: QuantizationConfig,
        isTransposed: Bool
    ) -> ColumnGroups? {
        let widths = [columns] + quantization.groupWidths
        let shapes = widths.map { width in
            let count = max((columns + width - 1) / width, 1)
            return isTransposed ? [count, rows] : [rows, count]
        }
        let matches = Set(zip(widths, shapes).filter { $1 == scales.shape }.map { min($0.0, columns) }).sorted()
        guard let width = matches.first else {
            let accepted = Set(shapes).map { "\($0)" }.sorted().joined(separator: " or ")
            problems.append("wrong shape: \(name) is \(scales.shape), expected \(accepted)")
            return nil
        }
        guard matches.count == 1 else {
            let widths = matches.map { "\($0)" }.joined(separator: " or ")
            problems.append("not supported: \(name) \(scales.shape) can be for groups of \(widths) columns")
            return nil
        }
        guard let groups = ColumnGroups(of: width, columns: columns) else {
            problems.append("not supported: \(name), groups of \(width) columns (supported: multiples of 16)")
            return nil
        }
        guard groups.packedColumns > 16 || groups.count == 1 || scales.type != .float32 else {
            problems.append(
                "not supported: \(name), F32 scales for groups of \(width) columns (supported: multiples of 32)"
            )
            return nil
        }
        return groups
    }

    /// Checks the optional list of each column's group. Only groups of consecutive columns are supported.
    private mutating func checkOrder(_ name: String, _ groups: ColumnGroups, _ columns: Int) -> Bool {
        guard stored[name] != nil else { return true }
        guard let order = part(name, [.int32], [[columns]]) else { return false }
        for column in 0..<columns {
            let group = order.bytes.loadUnaligned(fromByteOffset: column * 4, as: Int32.self)
            guard Int(group) == column / groups.columns else {
                problems.append("not supported: \(name) orders columns by activations (actorder group)")
                return false
            }
        }
        return true
    }

    /// Returns a tensor of compressed-tensors that has one of several shapes.
    ///
    /// - Parameter wholeGroups: the number of columns of the matrix, which must be a multiple of `width`, the columns of a group.
    private mutating func part(
        _ parts: CompressedLayout.Part..., wholeGroups: (columns: Int, width: Int) = (0, 1)
    ) -> StoredTensor? {
        part(parts[0].name, [parts[0].type], parts.map(\.shape), wholeGroups.columns, wholeGroups.width)
    }

    /// Returns a tensor of a quantized matrix; `nil` if a problem was recorded.
    ///
    /// - Parameters:
    ///   - shapes: the accepted shapes; `nil` for any shape.
    ///   - columns: the columns of the matrix, which must be a multiple of `width`.
    private mutating func part(
        _ name: String, _ types: [TensorType], _ shapes: [[Int]]?, _ columns: Int = 0, _ width: Int = 1
    ) -> StoredTensor? {
        known.insert(name)
        guard let tensor = stored[name] else {
            problems.append("missing: \(name)")
            return nil
        }
        guard types.contains(tensor.type) else {
            problems.append("wrong type: \(name) is \(tensor.type.rawValue)")
            return nil
        }
        guard shapes?.contains(tensor.shape) ?? true, columns.isMultiple(of: width) else {
            let accepted = (shapes ?? []).map { "\($0)" }.joined(separator: " or ")
            let groups = columns.isMultiple(of: width) ? "" : " with whole groups of \(width) columns"
            problems.append("wrong shape: \(name) is \(tensor.shape), expected \(accepted)\(groups)")
            return nil
        }
        return tensor
    }
}

extension ExpectedTensor {
    /// The name without `.weight`.
    package var module: String { String(name.dropLast(".weight".count)) }
}

extension StoredTensor {
    /// The elements of an int64 tensor.
    fileprivate var integers: [Int] {
        (0..<bytes.count / 8).map { Int(bytes.loadUnaligned(fromByteOffset: $0 * 8, as: Int64.self)) }
    }
}
