/// The element types of tensors in GGUF files; the raw values are those in the file (`ggml_type`).
public enum GGUFType: UInt32, CaseIterable, Sendable {
    case float32 = 0
    case float16 = 1
    case q40 = 2
    case q41 = 3
    case q50 = 6
    case q51 = 7
    case q80 = 8
    case q4K = 12
    case q5K = 13
    case q6K = 14
    case iq4NL = 20
    case iq4XS = 23
    case bfloat16 = 30
    case mxfp4 = 39
    case nvfp4 = 40

    /// The columns of a block; a row is a whole number of blocks.
    public var blockColumns: Int {
        switch self {
        case .float32, .float16, .bfloat16: 1
        case .q40, .q41, .q50, .q51, .q80, .iq4NL, .mxfp4: 32
        case .nvfp4: 64
        case .q4K, .q5K, .q6K, .iq4XS: 256
        }
    }

    /// The bytes of a block, including its scales.
    public var blockBytes: Int {
        switch self {
        case .float32: 4
        case .float16, .bfloat16: 2
        case .q40, .iq4NL: 18
        case .q41: 20
        case .q50: 22
        case .q51: 24
        case .q80: 34
        case .q4K: 144
        case .q5K: 176
        case .q6K: 210
        case .iq4XS: 136
        case .mxfp4: 17
        case .nvfp4: 36
        }
    }

    /// The type of elements without blocks; `nil` for quantized types.
    var tensorType: TensorType? {
        switch self {
        case .float32: .float32
        case .float16: .float16
        case .bfloat16: .bfloat16
        default: nil
        }
    }

    /// The name in error messages.
    public var name: String { Self.name(of: rawValue) }

    /// Returns ggml's name of a type, even if the type is not supported; the number itself if it has no name.
    static func name(of number: UInt32) -> String { names[number] ?? "\(number)" }

    private static let names: [UInt32: String] = [
        0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 9: "Q8_1", 10: "Q2_K", 11: "Q3_K",
        12: "Q4_K", 13: "Q5_K", 14: "Q6_K", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S",
        20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS", 24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64",
        29: "IQ1_M", 30: "BF16", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4", 40: "NVFP4", 41: "Q1_0", 42: "Q2_0",
    ]
}
