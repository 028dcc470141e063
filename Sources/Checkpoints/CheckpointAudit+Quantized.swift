import KernelInterface

// Matrices in formats of less than 8 bits, and integers of 8 bits: the tensors of each module show in which one it is.
extension CheckpointAudit {
    /// Whether the files have the matrix in a quantized format other than FP8.
    func isQuantized(_ expected: ExpectedTensor) -> Bool {
        let module = expected.module
        guard expected.role != .vector else { return false }
        return stored["\(module).weight_packed"] != nil || stored["\(module).qweight"] != nil
            || stored[expected.name]?.type == .uint8
    }

    /// The matrix; `nil` if a problem was recorded.
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
        let matrix: (any QuantizedMatrix)? =
            switch stored["\(module).weight_packed"]?.type {
            case .uint8: checkFloats(module, rows, columns)
            case nil where stored["\(module).qweight"] != nil: checkTransposed(module, rows, columns, quantization)
            case nil: checkModelOpt(module, rows, columns)
            default: checkIntegers(module, rows, columns, quantization)
            }
        bytes += matrix?.bytes ?? 0
        return matrix
    }

    private static let scaleTypes: [TensorType] = [.bfloat16, .float16, .float32]

    private mutating func checkIntegers(
        _ module: String, _ rows: Int, _ columns: Int, _ quantization: QuantizationConfig
    ) -> (any QuantizedMatrix)? {
        let words = [4, 8].map { [rows, (columns * $0 + 31) / 32] }
        guard let codes = part("\(module).weight_packed", [.int32], words),
            let scales = part("\(module).weight_scale", Self.scaleTypes, nil),
            let shape = part("\(module).weight_shape", [.int64], [[2]])
        else { return nil }
        guard shape.integers == [rows, columns] else {
            problems.append("wrong shape: \(module).weight_shape is \(shape.integers), expected [\(rows), \(columns)]")
            return nil
        }
        guard
            let groups = groups(of: scales, "\(module).weight_scale", rows, columns, quantization, isTransposed: false),
            checkOrder("\(module).weight_g_idx", groups, columns)
        else { return nil }
        let bits = codes.shape == words[0] ? 4 : 8
        var zeroPoints: StoredTensor?
        let name = "\(module).weight_zero_point"
        if stored[name] != nil {
            guard bits == 4 else {
                problems.append("not supported: \(name), asymmetric integers of 8 bits")
                return nil
            }
            zeroPoints = part(name, [.int32], [[(rows * bits + 31) / 32, groups.count]])
            if zeroPoints == nil { return nil }
        }
        return PackedIntegers(
            bits: bits, rows: rows, columns: columns, groups: groups, codes: codes, scales: scales,
            zeroPoints: zeroPoints)
    }

    /// NVFP4 has a global scale, and MXFP4 has not.
    private mutating func checkFloats(_ module: String, _ rows: Int, _ columns: Int) -> (any QuantizedMatrix)? {
        let global = "\(module).weight_global_scale"
        guard stored[global] != nil else {
            guard let codes = part("\(module).weight_packed", [.uint8], [[rows, columns / 2]], columns, 32),
                let scales = part("\(module).weight_scale", [.uint8, .float8E8M0], [[rows, columns / 32]])
            else { return nil }
            return PackedFloats(.mxfp4, rows: rows, columns: columns, codes: codes, scales: scales)
        }
        return checkNVFP4(module, "\(module).weight_packed", global: global, .divided, rows, columns)
    }

    private mutating func checkModelOpt(_ module: String, _ rows: Int, _ columns: Int) -> (any QuantizedMatrix)? {
        checkNVFP4(module, "\(module).weight", global: "\(module).weight_scale_2", .multiplied, rows, columns)
    }

    private mutating func checkNVFP4(
        _ module: String, _ name: String, global: String, _ use: QuantizedFormat.RowFactor, _ rows: Int, _ columns: Int
    ) -> (any QuantizedMatrix)? {
        guard let codes = part(name, [.uint8], [[rows, columns / 2]], columns, 16),
            let scales = part("\(module).weight_scale", [.float8E4M3], [[rows, columns / 16]]),
            let scale = part(global, [.float32], [[1], []])
        else { return nil }
        let factor = scale.float(0) ?? .nan
        // The largest weight is the largest code times the largest scale of a group.
        let largest = 6 * Float8.largest
        guard (use == .divided ? largest / factor : largest * factor).isFinite else {
            problems.append("unusable scale: \(global) is \(factor)")
            return nil
        }
        return PackedFloats(.nvfp4(use), rows: rows, columns: columns, codes: codes, scales: scales, factor: factor)
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

    /// The groups of columns that the shape of the scales means.
    private mutating func groups(
        of scales: StoredTensor, _ name: String, _ rows: Int, _ columns: Int, _ quantization: QuantizationConfig,
        isTransposed: Bool
    ) -> ColumnGroups? {
        let widths = [columns] + quantization.groupWidths
        let shapes = widths.map { width in
            let count = max((columns + width - 1) / width, 1)
            return isTransposed ? [count, rows] : [rows, count]
        }
        guard let index = shapes.lastIndex(of: scales.shape) else {
            let accepted = Set(shapes).map { "\($0)" }.sorted().joined(separator: " or ")
            problems.append("wrong shape: \(name) is \(scales.shape), expected \(accepted)")
            return nil
        }
        guard let groups = ColumnGroups(of: widths[index], columns: columns) else {
            problems.append("not supported: \(name), groups of \(widths[index]) columns (supported: multiples of 16)")
            return nil
        }
        guard groups.packedColumns > 16 || groups.count == 1 || scales.type != .float32 else {
            problems.append(
                "not supported: \(name), F32 scales for groups of \(widths[index]) columns (supported: multiples of 32)"
            )
            return nil
        }
        return groups
    }

    /// Columns may be listed with their groups, but only in the order in which they are anyway.
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

    /// A tensor of a quantized matrix; `nil` if a problem was recorded.
    ///
    /// - Parameters:
    ///   - shapes: those that are accepted; `nil`: any.
    ///   - columns: of the matrix, which must be whole groups of `width`.
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
    /// Elements of an int64 tensor.
    fileprivate var integers: [Int] {
        (0..<bytes.count / 8).map { Int(bytes.loadUnaligned(fromByteOffset: $0 * 8, as: Int64.self)) }
    }
}
