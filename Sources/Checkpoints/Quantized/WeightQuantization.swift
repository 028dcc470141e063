import KernelInterface

/// A format to which weights are quantized during loading or by `trinity quantize`.
///
/// Linear layers and the LM head are quantized; embeddings, routers, norms and biases keep their format.
public enum WeightQuantization: Hashable, Sendable {
    /// E4M3FN with a scale for each 128 by 128 block.
    case float8
    /// Integers -8 ... 7 with a bfloat16 scale for each group of 32, 64 or 128 columns.
    case int4(groupColumns: Int)
    /// Integers -127 ... 127 with a float16 scale for each group of 32 columns.
    case int8
    /// E2M1 with an E4M3FN scale for each group of 16 columns, and a float32 scale for the matrix.
    case nvfp4

    /// Returns the format of matrices with `role`; `nil` for those that keep their format, and for FP8. The LM head gets at least
    /// 8 bits: 4 bits would increase the model's error by half.
    func format(_ role: ExpectedTensor.Role) -> QuantizedFormat? {
        switch (self, role) {
        case (.float8, _), (_, .vector), (_, .sensitive): nil
        case (.int8, _), (_, .lmHead): .grouped(.int8, groupColumns: 32, scales: .float16)
        case (.int4(let columns), .linear): .grouped(.int4, groupColumns: columns, scales: .bfloat16)
        case (.nvfp4, .linear): .nvfp4(.divided)
        }
    }

    /// Returns the bytes of a packed matrix; `nil` for matrices that keep their format, and for FP8.
    package func packedBytes(of tensor: ExpectedTensor) -> Int? {
        format(tensor.role)?.packedBytes(rows: tensor.shape[0], columns: tensor.shape[1])
    }

    /// Whether matrices that are already quantized are left unchanged. Otherwise they are rejected: another 4-bit format would
    /// add its error to theirs.
    var keepsQuantized: Bool { self == .float8 || self == .int8 }
}

extension QuantizedFormat {
    /// Returns the size of a packed matrix in bytes, including the row factors.
    func packedBytes(rows: Int, columns: Int) -> Int {
        bytes(rows: rows, columns: columns)
            + (rowFactor == .none ? 0 : (rows + 15) / 16 * 16 * MemoryLayout<Float>.size)
    }
}
