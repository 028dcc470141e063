import KernelInterface

/// A format in which weights are quantized while they are loaded, or written by `trinity quantize`.
///
/// Linear layers and the LM head are quantized; embeddings, routers, norms and biases keep their format.
public enum WeightQuantization: Hashable, Sendable {
    /// E4M3FN with a scale for each block of 128 by 128.
    case float8
    /// -8 ... 7 with a bfloat16 scale for each group of 32, 64 or 128 columns.
    case int4(groupColumns: Int)
    /// -127 ... 127 with a float16 scale for each group of 32 columns.
    case int8
    /// E2M1 with an E4M3FN scale for each group of 16 columns, and a float32 one for the matrix.
    case nvfp4

    /// The format of the matrices of `role`; `nil` for those that keep theirs, and for FP8. The head has at least 8 bits: with
    /// 4 the error of the model is half as large again.
    func format(_ role: ExpectedTensor.Role) -> QuantizedFormat? {
        switch (self, role) {
        case (.float8, _), (_, .vector), (_, .sensitive): nil
        case (.int8, _), (_, .lmHead): .grouped(.int8, groupColumns: 32, scales: .float16)
        case (.int4(let columns), .linear): .grouped(.int4, groupColumns: columns, scales: .bfloat16)
        case (.nvfp4, .linear): .nvfp4(.divided)
        }
    }

    /// Whether matrices that are quantized already are left as they are. Otherwise they are refused: another format of 4 bits
    /// would add its error to theirs.
    var keepsQuantized: Bool { self == .float8 || self == .int8 }
}

extension QuantizedFormat {
    /// Bytes of a packed matrix, with the factors of its rows.
    func packedBytes(rows: Int, columns: Int) -> Int {
        bytes(rows: rows, columns: columns)
            + (rowFactor == .none ? 0 : (rows + 15) / 16 * 16 * MemoryLayout<Float>.size)
    }
}
