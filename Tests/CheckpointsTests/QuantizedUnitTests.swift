import Foundation
import JSON
import TestSupport
import Testing

@testable import Checkpoints

/// Matrices of safetensors in every quantized format, equal to the reference's values bit for bit.
struct QuantizedUnitTests {
    private static let compressed: JSONValue = [
        "quant_method": "compressed-tensors",
        "config_groups": [
            "a": [
                "format": "pack-quantized",
                "weights": ["type": "int", "num_bits": 4, "strategy": "group", "group_size": 32],
            ],
            "b": [
                "format": "pack-quantized",
                "weights": ["type": "int", "num_bits": 4, "strategy": "group", "group_size": 128],
            ],
            "c": [
                "format": "pack-quantized", "weights": ["type": "int", "num_bits": 8, "strategy": "channel"],
            ],
            "d": ["format": "int-quantized", "weights": ["type": "int", "num_bits": 8, "strategy": "tensor"]],
        ],
    ]

    private static func method(_ name: String) -> JSONValue {
        if name.hasPrefix("awq") { return ["quant_method": "awq", "bits": 4, "group_size": 32] }
        if name.hasPrefix("gptq_v1") { return ["quant_method": "gptq", "bits": 4, "group_size": 32] }
        if name.hasPrefix("gptq_v2") {
            return ["quant_method": "gptq", "bits": 4, "group_size": 32, "checkpoint_format": "gptq_v2"]
        }
        return name.hasSuffix("modelopt") ? ["quant_method": "modelopt", "quant_algo": "NVFP4"] : compressed
    }

    /// The matrix of a unit as that of a module, and the problems of its tensors.
    private func check(_ name: String) throws -> (matrix: (any QuantizedMatrix)?, expected: [Float], problems: [String])
    {
        let file = try SafetensorsFile(Fixtures.root.appending(path: "low-bit/units/safetensors/\(name).safetensors"))
        var tensors: [String: StoredTensor] = [:]
        for (name, tensor) in file.tensors where name != "expected" { tensors["x.\(name)"] = tensor }
        let golden = try #require(file.tensors["expected"])
        let config = try QuantizationConfig(parsing: ["quantization_config": Self.method(name)])
        var audit = CheckpointAudit(stored: StoredTensors(tensors), quantization: config)
        let found = audit.check(ExpectedTensor(name: "x.weight", shape: golden.shape, role: .linear))
        audit.checkUnexpected(tiesEmbeddings: false)
        var matrix: (any QuantizedMatrix)?
        if case .quantized(let quantized)? = found { matrix = quantized }
        return (matrix, try #require(FloatConversion.floats(golden.bytes, type: .float32)), audit.problems)
    }

    @Test(arguments: [
        "int4_sym_g32_bf16", "int4_sym_g128_f16", "int4_sym_channel_f32", "int4_asym_g32", "int4_g_idx_trivial",
        "int8_sym_channel", "int8_asym_g32_bf16", "int8_asym_channel_f32", "int8_bytes_channel",
        "int8_bytes_tensor_asym", "int8_bytes_g32_asym", "nvfp4_ct", "nvfp4_modelopt", "mxfp4_ct", "awq_gemm_g32",
        "gptq_v1_g32", "gptq_v2_g32",
    ])
    func `every weight has its exact value`(name: String) throws {
        let (matrix, expected, problems) = try check(name)
        #expect(problems == [])
        let found = try #require(matrix)
        // Some units have an infinite scale, which a model must not have.
        #expect(found.hasFiniteScales(pool: nil) == expected.allSatisfy(\.isFinite))
        let pairs = zip(found.values, expected).filter { $1.isFinite }
        #expect(pairs.count > expected.count / 2)
        #expect(pairs.allSatisfy { $0.bitPattern == $1.bitPattern })
    }

    @Test func `columns in another order are refused`() throws {
        let (matrix, _, problems) = try check("int4_g_idx_permuted")
        #expect(matrix == nil)
        #expect(problems.count == 1 && problems[0].contains("actorder group"))
    }
}
