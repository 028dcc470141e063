import Foundation
import JSON
import TestSupport
import Testing

@testable import Checkpoints

/// What is said about the tensors of one quantized matrix, `x`.
struct QuantizedAuditTests {
    private typealias Tensors = [String: TemporaryModel.Tensor]

    private static func tensor(_ type: String, _ shape: [Int], _ element: [UInt8]) -> TemporaryModel.Tensor {
        .init(type: type, shape: shape, bytes: (0..<shape.reduce(1, *)).flatMap { _ in element })
    }

    private static let one: [UInt8] = [0, 0, 0x80, 0x3F]

    /// (2, 64) in groups of 32, with zero points unless the bits are none.
    private static func integers(zeroPointBits bits: Int? = nil) -> Tensors {
        var tensors: Tensors = [
            "x.weight_packed": tensor("I32", [2, bits == 8 ? 16 : 8], [1, 2, 3, 4]),
            "x.weight_scale": tensor("BF16", [2, 2], [0x80, 0x3F]),
            "x.weight_shape": .init(
                type: "I64", shape: [2],
                bytes: [2] + [UInt8](repeating: 0, count: 7) + [64]
                    + [UInt8](repeating: 0, count: 7)),
        ]
        if bits != nil { tensors["x.weight_zero_point"] = tensor("I32", [1, 2], [8, 8, 8, 8]) }
        return tensors
    }

    /// (2, 64), one scale for each row, with zero points
    private static let bytes: Tensors = [
        "x.weight": tensor("I8", [2, 64], [0x81]), "x.weight_scale": tensor("BF16", [2, 1], [0x80, 0x3F]),
        "x.weight_zero_point": tensor("I8", [2, 1], [3]),
    ]

    /// (2, 64)
    private static let nvfp4: Tensors = [
        "x.weight_packed": tensor("U8", [2, 32], [0x21]), "x.weight_scale": tensor("F8_E4M3", [2, 4], [0x38]),
        "x.weight_global_scale": tensor("F32", [1], one),
    ]

    /// (2, 64)
    private static let modelOpt: Tensors = [
        "x.weight": tensor("U8", [2, 32], [0x21]), "x.weight_scale": tensor("F8_E4M3", [2, 4], [0x38]),
        "x.weight_scale_2": tensor("F32", [], one),
    ]

    /// (2, 64)
    private static let mxfp4: Tensors = [
        "x.weight_packed": tensor("U8", [2, 32], [0x21]), "x.weight_scale": tensor("U8", [2, 2], [127]),
    ]

    private func audit(
        _ tensors: Tensors, name: String = "x", rows: Int = 2, columns: Int = 64, widths: [Int] = [32]
    ) throws -> (matrix: (any QuantizedMatrix)?, problems: [String], audit: CheckpointAudit) {
        let model = try TemporaryModel()
        try model.write(tensors)
        let file = try SafetensorsFile(model.directory.appending(path: "model.safetensors"))
        var groups = JSONObject()
        for width in widths {
            groups["\(width)"] = [
                "weights": ["type": "int", "num_bits": 4, "strategy": "group", "group_size": .integer(width)]
            ]
        }
        let config = try QuantizationConfig(parsing: [
            "quantization_config": [
                "quant_method": "compressed-tensors", "format": "pack-quantized", "config_groups": .object(groups),
            ]
        ])
        var audit = CheckpointAudit(stored: StoredTensors(file.tensors), quantization: config)
        let found = audit.check(ExpectedTensor(name: "\(name).weight", shape: [rows, columns], role: .linear))
        audit.checkUnexpected(tiesEmbeddings: false)
        guard case .quantized(let matrix)? = found else { return (nil, audit.problems, audit) }
        return (matrix, audit.problems, audit)
    }

    @Test func `the matrices of these tests are accepted`() throws {
        for tensors in [
            Self.integers(), Self.integers(zeroPointBits: 4), Self.integers(zeroPointBits: 8), Self.bytes, Self.nvfp4,
            Self.modelOpt, Self.mxfp4,
        ] {
            let (matrix, problems, _) = try audit(tensors)
            #expect(problems == [])
            #expect(matrix?.hasFiniteScales(pool: nil) == true)
        }
        // Zero points of 8 bits are bytes of a word, and 8 is subtracted from each code.
        let values = try #require(try audit(Self.integers(zeroPointBits: 8)).matrix).values
        #expect(values[..<5] == [-7, -6, -5, -4, -7])
    }

    @Test(arguments: ["x.weight_scale", "x.weight_shape"])
    func `a tensor of integers that is missing is named`(name: String) throws {
        var tensors = Self.integers()
        tensors[name] = nil
        #expect(try audit(tensors).problems.contains("missing: \(name)"))
    }

    @Test(
        arguments: [
            ("x.weight", "I8", [2, 63], "x.weight is [2, 63], expected [2, 64]"),
            ("x.weight_scale", "BF16", [2], "x.weight_scale is [2], expected [2, 1] or [2, 2]"),
            ("x.weight_scale", "I8", [2, 1], "x.weight_scale is I8"),
            ("x.weight_zero_point", "I8", [1], "x.weight_zero_point is [1], expected [2, 1]"),
            ("x.weight_zero_point", "BF16", [2, 1], "x.weight_zero_point is BF16"),
            ("x.weight_g_idx", "I32", [63], "x.weight_g_idx is [63], expected [64]"),
        ] as [(String, String, [Int], String)])
    func `a tensor of a matrix of bytes with another type or shape is named`(
        name: String, type: String, shape: [Int], problem: String
    ) throws {
        var tensors = Self.bytes
        let size = type == "I32" ? 4 : type == "I8" ? 1 : 2
        tensors[name] = Self.tensor(type, shape, [UInt8](repeating: 0, count: size))
        let problems = try audit(tensors).problems
        #expect(problems.contains { $0.contains(problem) }, "\(problems)")
    }

    @Test func `a matrix of bytes has a scale for groups, for each row, or one`() throws {
        var tensors = Self.bytes
        // -127 - 3
        #expect(try #require(try audit(tensors).matrix).values == [Float](repeating: -130, count: 128))
        for shape in [[], [1], [1, 1], [2, 2]] {
            tensors["x.weight_scale"] = Self.tensor("BF16", shape, [0x80, 0x3F])
            tensors["x.weight_zero_point"] = nil
            let result = try audit(tensors)
            #expect(result.problems == [])
            #expect(try #require(result.matrix).values == [Float](repeating: -127, count: 128))
        }
        tensors["x.weight_scale"] = nil
        #expect(try audit(tensors).problems == ["missing: x.weight_scale"])
    }

    @Test func `a global scale that is missing is named, also if MXFP4 has none`() throws {
        var tensors = Self.nvfp4
        tensors["x.weight_global_scale"] = nil
        #expect(try audit(tensors).problems == ["missing: x.weight_global_scale"])
        tensors = Self.modelOpt
        tensors["x.weight_scale_2"] = nil
        #expect(try audit(tensors).problems == ["missing: x.weight_scale_2"])
    }

    @Test(arguments: [[0, 0, 0, 0], [0, 0, 0xC0, 0x7F], [1, 0, 0, 0]] as [[UInt8]])
    func `a global scale that is not usable is named with what is expected`(bytes: [UInt8]) throws {
        var tensors = Self.nvfp4
        tensors["x.weight_global_scale"]?.bytes = bytes
        let problems = try audit(tensors).problems
        #expect(problems.count == 1)
        #expect(problems.first?.hasPrefix("unusable scale: x.weight_global_scale is ") == true)
        #expect(problems.first?.hasSuffix("expected a number that 2688 can be divided by in float32") == true)
    }

    @Test(
        arguments: [
            ("x.weight_packed", "I32", [2, 9], "x.weight_packed is [2, 9], expected [2, 8] or [2, 16]"),
            ("x.weight_packed", "I16", [2, 8], "x.weight_packed is I16"),
            ("x.weight_scale", "BF16", [2, 3], "x.weight_scale is [2, 3], expected [2, 1] or [2, 2]"),
            ("x.weight_scale", "BF16", [0, 2], "x.weight_scale is [0, 2]"),
            ("x.weight_scale", "F8_E4M3", [2, 2], "x.weight_scale is F8_E4M3"),
            ("x.weight_shape", "I64", [3], "x.weight_shape is [3], expected [2]"),
            ("x.weight_shape", "I32", [2], "x.weight_shape is I32"),
            ("x.weight_zero_point", "I32", [2, 1], "x.weight_zero_point is [2, 1], expected [1, 2]"),
            ("x.weight_g_idx", "I32", [63], "x.weight_g_idx is [63], expected [64]"),
            ("x.weight_g_idx", "I64", [64], "x.weight_g_idx is I64"),
        ] as [(String, String, [Int], String)])
    func `a tensor of another type or shape is named`(
        name: String, type: String, shape: [Int], problem: String
    ) throws {
        var tensors = Self.integers(zeroPointBits: 4)
        let size = type == "I64" ? 8 : type == "I32" ? 4 : type == "F8_E4M3" ? 1 : 2
        tensors[name] = Self.tensor(type, shape, [UInt8](repeating: 0, count: size))
        let problems = try audit(tensors).problems
        #expect(problems.contains { $0.contains(problem) }, "\(problems)")
    }

    @Test func `groups that no format has, or that can be of two widths, are refused`() throws {
        var tensors = Self.integers()
        tensors["x.weight_scale"] = Self.tensor("BF16", [2, 3], [0x80, 0x3F])
        #expect(try audit(tensors, widths: [24]).problems.first?.contains("groups of 24 columns") == true)
        tensors["x.weight_scale"] = Self.tensor("F32", [2, 4], Self.one)
        #expect(try audit(tensors, widths: [16]).problems.first?.contains("F32 scales for groups of 16") == true)
        // Both have two groups.
        let problems = try audit(Self.integers(), widths: [32, 48]).problems
        #expect(problems == ["not supported: x.weight_scale [2, 2] can be for groups of 32 or 48 columns"])
        // Both are the whole row.
        tensors["x.weight_scale"] = Self.tensor("BF16", [2, 1], [0x80, 0x3F])
        #expect(try audit(tensors, widths: [128, 256]).problems == [])
    }

    @Test func `columns that are not whole groups are named with the width`() throws {
        for (tensors, width) in [(Self.nvfp4, 16), (Self.mxfp4, 32)] {
            let problems = try audit(tensors, columns: 56).problems
            #expect(problems.contains { $0.contains("with whole groups of \(width) columns") }, "\(problems)")
        }
    }

    @Test(
        arguments: [
            (integers(), [0xC0, 0x7F]), (bytes, [0xC0, 0x7F]), (nvfp4, [0x7F]), (mxfp4, [255]),
            // Finite, but not times the largest code.
            (integers(), [0x7F, 0x7F]), (integers(), [0x7F, 0xFF]), (mxfp4, [253]),
        ] as [([String: TemporaryModel.Tensor], [UInt8])])
    func `a scale of a group that is not finite is found`(
        tensors: [String: TemporaryModel.Tensor], element: [UInt8]
    ) throws {
        var tensors = tensors
        tensors["x.weight_scale"]?.bytes.replaceSubrange(..<element.count, with: element)
        #expect(try audit(tensors).matrix?.hasFiniteScales(pool: nil) == false)
    }

    @Test func `a matrix that is in the file twice is a problem`() throws {
        for tensors in [Self.integers(), Self.nvfp4] {
            var tensors = tensors
            tensors["x.weight"] = Self.tensor("BF16", [2, 64], [0x80, 0x3F])
            #expect(try audit(tensors).problems == ["unexpected: x.weight BF16 [2, 64]"])
        }
    }

    @Test func `a quantized router is refused by its name`() throws {
        var tensors: Tensors = [:]
        for (name, tensor) in Self.integers() { tensors["m.mlp.router.gate\(name.dropFirst())"] = tensor }
        let problems = try audit(tensors, name: "m.mlp.router.gate").problems
        #expect(problems.contains("not supported: m.mlp.router.gate.weight is a quantized router"))
    }

    @Test func `a router in FP8 is accepted`() throws {
        let model = try TemporaryModel()
        let name = "m.mlp.router.gate.weight"
        try model.write([
            name: Self.tensor("F8_E4M3", [2, 64], [0x38]), name + "_scale": Self.tensor("F32", [1], Self.one),
        ])
        let file = try SafetensorsFile(model.directory.appending(path: "model.safetensors"))
        var audit = CheckpointAudit(
            stored: StoredTensors(file.tensors), quantization: QuantizationConfig(granularity: .tensor))
        let found = audit.check(ExpectedTensor(name: name, shape: [2, 64], role: .sensitive))
        audit.checkUnexpected(tiesEmbeddings: false)
        guard audit.problems == [], case .float8? = found else {
            Issue.record("\(audit.problems)")
            return
        }
    }

    @Test func `scales of activations and of the cache are not used`() throws {
        var tensors = Self.nvfp4
        for name in ["x.input_global_scale", "a.k_scale", "a.v_scale", "a.q_scale", "a.k_zero_point"] {
            tensors[name] = Self.tensor("F32", [1], Self.one)
        }
        let result = try audit(tensors)
        #expect(result.problems == [] && result.audit.hasUnusedScales)
    }

    @Test func `few unexpected tensors are named before many that are missing`() throws {
        let config = try TemporaryModel.config()
        let file = try TemporaryModel()
        try file.write(["model.layers.1.mlp.experts.gate_up_proj": Self.tensor("BF16", [2, 6, 6], [0x80, 0x3F])])
        let error = try #require(throws: CheckpointError.self) {
            try Checkpoint(directory: file.directory, config: config, quantization: nil)
        }
        guard case .mismatch(_, let problems) = error else { throw error }
        #expect(problems.first == "unexpected: model.layers.1.mlp.experts.gate_up_proj BF16 [2, 6, 6]")
        #expect(problems.count == config.expectedTensors.count + 1)
    }
}
