import Foundation
import JSON
import TestSupport
import Testing

@testable import Checkpoints

struct CheckpointTests {
    @Test(arguments: [
        "a_base", "b1_nomup_tied_shared2", "b2_no_route_norm", "b3_groups", "c_odd_sharded", "c2_layer_types", "d_long",
        "e_bf16", "f1_fp8_ct_channel", "f2_fp8_ct_tensor", "f3_fp8_ct_block", "f4_fp8_ds_block_ragged", "g_yarn",
    ])
    func `every tensor of a fixture is found`(name: String) throws {
        let (config, checkpoint) = try open(name)
        for tensor in config.expectedTensors {
            #expect(checkpoint.has(tensor.name))
            if tensor.role == .vector {
                #expect(checkpoint.vector(tensor.name).count == tensor.shape[0])
            } else {
                let weight = checkpoint.linear(String(tensor.name.dropLast(".weight".count)))
                #expect([weight.rows, weight.columns] == tensor.shape)
            }
        }
        #expect(checkpoint.has("lm_head.weight") != config.tiesEmbeddings)
        #expect(checkpoint.bytes > 0)
    }

    @Test(
        arguments: [
            ("f1_fp8_ct_channel", [1, 128, 1, 128]), ("f2_fp8_ct_tensor", [128, 128, 1, 1]),
            ("f3_fp8_ct_block", [128, 128, 2, 4]), ("f4_fp8_ds_block_ragged", [128, 128, 3, 9]),
        ] as [(String, [Int])])
    func `the scales of an FP8 matrix have the grid of its format`(name: String, grid: [Int]) throws {
        let weight = try open(name).checkpoint.linear("model.layers.0.self_attn.q_proj")
        guard case .float8(let scales) = weight.format else {
            Issue.record("not FP8")
            return
        }
        #expect([scales.blockRows, scales.blockColumns, scales.gridColumns, scales.values.count] == grid)
        #expect(scales.values.allSatisfy { $0 > 0 && $0 < 1 })
    }

    @Test func `the chat model is read in FP8`() throws {
        let (_, checkpoint) = try open(Fixtures.chatModel)
        guard case .float8(let scales) = checkpoint.linear("model.layers.1.mlp.experts.7.down_proj").format else {
            Issue.record("not FP8")
            return
        }
        #expect(scales.values.count == 2)
    }

    @Test func `an FP8 checkpoint keeps the formats of its head, embeddings and routers`() throws {
        let checkpoint = try open("f1_fp8_ct_channel").checkpoint
        for name in ["lm_head", "model.embed_tokens", "model.layers.1.mlp.router.gate"] {
            guard case .bfloat16 = checkpoint.linear(name).format else {
                Issue.record("\(name) is \(checkpoint.linear(name).format)")
                continue
            }
        }
    }

    @Test func `all missing, unexpected and wrong tensors are in one error`() throws {
        let model = try TemporaryModel()
        let config = try TemporaryModel.config()
        var tensors = TemporaryModel.tensors(of: config)
        tensors["model.norm.weight"] = nil
        tensors["model.layers.1.mlp.experts.1.up_proj.weight"] = nil
        tensors["model.layers.0.self_attn.q_proj.weight"]?.shape = [6, 4]
        tensors["model.layers.1.mlp.expert_bias"]?.type = "I16"
        tensors["model.layers.0.self_attn.q_proj.bias"] = .init(type: "U8", shape: [1], bytes: [0])
        try model.write(tensors)
        let error = try mismatch(model, config)
        #expect(
            error.sorted() == [
                "missing: model.layers.1.mlp.experts.1.up_proj.weight [3, 6]",
                "missing: model.norm.weight [6]",
                "unexpected: model.layers.0.self_attn.q_proj.bias U8 [1]",
                "wrong shape: model.layers.0.self_attn.q_proj.weight is [6, 4], expected [4, 6]",
                "wrong type: model.layers.1.mlp.expert_bias is I16",
            ])
    }

    @Test func `a long list of problems is cut when printed, with the count of the rest`() {
        let error = CheckpointError.mismatch(directory: "d", problems: (0..<53).map { "problem \($0)" })
        #expect(error.description.contains("problem 49\n  and 3 more"))
        #expect(!error.description.contains("problem 50"))
    }

    @Test func `a tensor that may be left unused is not a problem`() throws {
        let model = try TemporaryModel()
        let config = try TemporaryModel.config(tied: true)
        var tensors = TemporaryModel.tensors(of: config)
        let attention = "model.layers.0.self_attn"
        for name in ["lm_head.weight", "\(attention).rotary_emb.inv_freq", "\(attention).q_proj.input_scale"] {
            tensors[name] = .init(type: "U8", shape: [1], bytes: [0])
        }
        try model.write(tensors)
        let checkpoint = try Checkpoint(directory: model.directory, config: config, quantization: nil)
        #expect(!checkpoint.has("lm_head.weight"))
    }

    @Test func `a missing shard is named`() throws {
        let model = try TemporaryModel()
        let config = try TemporaryModel.config()
        try model.write(TemporaryModel.tensors(of: config), to: "model-00001-of-00002.safetensors")
        try writeIndex(["model.norm.weight": "model-00002-of-00002.safetensors"], to: model)
        let error = try #require(throws: CheckpointError.self) {
            try Checkpoint(directory: model.directory, config: config, quantization: nil)
        }
        #expect(error.description.contains("model-00002-of-00002.safetensors"))
        #expect(error.description.contains("missing"))
    }

    @Test func `a tensor that is not where the index says is a problem`() throws {
        let model = try TemporaryModel()
        let config = try TemporaryModel.config()
        var tensors = TemporaryModel.tensors(of: config)
        tensors["model.norm.weight"] = nil
        try model.write(tensors, to: "a.safetensors")
        try writeIndex(["model.norm.weight": "a.safetensors"], to: model)
        let problems = try mismatch(model, config)
        #expect(
            problems == ["missing: model.norm.weight [6], which model.safetensors.index.json places in a.safetensors"])
    }

    @Test(arguments: ["../a.safetensors", "/etc/passwd", ""])
    func `a shard outside the folder is refused`(file: String) throws {
        let model = try TemporaryModel()
        try writeIndex(["model.norm.weight": .string(file)], to: model)
        let error = try #require(throws: CheckpointError.self) {
            try Checkpoint(directory: model.directory, config: TemporaryModel.config(), quantization: nil)
        }
        #expect(error.description.contains("not a plain file name"))
    }

    @Test func `a folder without weights is an error that names the files`() throws {
        let model = try TemporaryModel()
        let error = try #require(throws: CheckpointError.self) {
            try Checkpoint(directory: model.directory, config: TemporaryModel.config(), quantization: nil)
        }
        #expect(error.description.contains("model.safetensors.index.json"))
    }

    @Test func `data at any address is returned aligned`() throws {
        let model = try TemporaryModel()
        let config = try TemporaryModel.config()
        try model.write(TemporaryModel.tensors(of: config), padding: 1)
        let checkpoint = try Checkpoint(directory: model.directory, config: config, quantization: nil)
        let weight = checkpoint.linear("model.layers.0.mlp.gate_proj")
        #expect(Int(bitPattern: weight.bytes.baseAddress) % 2 == 0)
        #expect(weight.bytes.elementsEqual((0..<30).flatMap { _ in [0x80, 0x3F] as [UInt8] }))
        #expect(checkpoint.vector("model.norm.weight") == [1, 1, 1, 1, 1, 1])
    }

    @Test(
        arguments: [
            ("weight_scale", "F32", [1, 1], nil),
            ("weight_scale_inv", "F32", [1, 1], nil),
            ("weight_scale", "BF16", [1, 1], nil),
            ("weight_scale", "F16", [1, 1], nil),
            ("weight_scale", "F8_E8M0", [1, 1], nil),
            ("weight_scale", "U8", [1, 1], "weight_scale is U8"),
            ("weight_scale", "F32", [1, 2], "weight_scale is [1, 2], expected [1, 1]"),
            ("weight_scales", "F32", [1, 1], "missing: model.layers.0.self_attn.q_proj.weight_scale"),
        ] as [(String, String, [Int], String?)])
    func `scales of every float type are read`(suffix: String, type: String, shape: [Int], problem: String?) throws {
        let one: [UInt8] =
            switch type {
            case "F32": [0, 0, 0x80, 0x3F]
            case "BF16": [0x80, 0x3F]
            case "F16": [0x00, 0x3C]
            default: [127]
            }
        let scale = TemporaryModel.Tensor(type: type, shape: shape, bytes: (0..<shape[1]).flatMap { _ in one })
        let (model, config) = try float8Model(scaleName: suffix, scale: scale)
        guard let problem else {
            let checkpoint = try Checkpoint(directory: model.directory, config: config, quantization: Self.blocks)
            guard case .float8(let grid) = checkpoint.linear("model.layers.0.self_attn.q_proj").format else {
                Issue.record("not FP8")
                return
            }
            #expect(grid.values == [1])
            return
        }
        #expect(try mismatch(model, config, Self.blocks).contains { $0.contains(problem) })
    }

    @Test func `an FP8 matrix without a quantization config is a problem`() throws {
        let scale = TemporaryModel.Tensor(type: "F32", shape: [1, 1], bytes: [0, 0, 0x80, 0x3F])
        let (model, config) = try float8Model(scaleName: "weight_scale", scale: scale)
        #expect(try mismatch(model, config).contains { $0.contains("no quantization_config") })
    }

    @Test(
        arguments: [
            ("F32", [0, 0, 0xC0, 0x7F]), ("F32", [0, 0, 0x80, 0x7F]), ("F32", [0, 0, 0, 0]),
            ("F32", [0, 0, 0x80, 0xBF]),
            ("F32", [0, 0, 0, 0x80]), ("F32", [0xFF, 0xFF, 0x7F, 0]), ("F32", [1, 0, 0, 0]), ("F32", [0, 0, 0, 0x7F]),
            ("BF16", [0, 0]), ("BF16", [0x80, 0xBF]), ("BF16", [0xC0, 0x7F]), ("F16", [0, 0x80]), ("F16", [0, 0x7C]),
            ("F8_E8M0", [255]), ("F8_E8M0", [254]),
        ] as [(String, [UInt8])])
    func `a scale that is not positive and finite is refused with its name`(type: String, bytes: [UInt8]) throws {
        let scale = TemporaryModel.Tensor(type: type, shape: [1, 1], bytes: bytes)
        let (model, config) = try float8Model(scaleName: "weight_scale", scale: scale)
        let problems = try mismatch(model, config, Self.blocks)
        #expect(problems.count == 1)
        #expect(problems.allSatisfy { $0.hasPrefix("unusable scale: model.layers.0.self_attn.q_proj.weight_scale is") })
    }

    @Test(arguments: [("F32", [0, 0, 0x80, 0]), ("F16", [1, 0]), ("F8_E8M0", [0])] as [(String, [UInt8])])
    func `the least scale of a type is read`(type: String, bytes: [UInt8]) throws {
        let scale = TemporaryModel.Tensor(type: type, shape: [1, 1], bytes: bytes)
        let (model, config) = try float8Model(scaleName: "weight_scale", scale: scale)
        _ = try Checkpoint(directory: model.directory, config: config, quantization: Self.blocks)
    }

    private static let blocks = QuantizationConfig(granularity: .block(rows: 128, columns: 128))

    /// A model whose only FP8 matrix, (4, 6), is the first query projection.
    private func float8Model(
        scaleName: String, scale: TemporaryModel.Tensor
    ) throws -> (TemporaryModel, ModelConfig) {
        let model = try TemporaryModel()
        let config = try TemporaryModel.config()
        var tensors = TemporaryModel.tensors(of: config)
        tensors["model.layers.0.self_attn.q_proj.weight"] = .init(
            type: "F8_E4M3", shape: [4, 6], bytes: [UInt8](repeating: 0x38, count: 24))
        tensors["model.layers.0.self_attn.q_proj.\(scaleName)"] = scale
        try model.write(tensors)
        return (model, config)
    }

    private func mismatch(
        _ model: TemporaryModel, _ config: ModelConfig, _ quantization: QuantizationConfig? = nil
    ) throws -> [String] {
        let error = try #require(throws: CheckpointError.self) {
            try Checkpoint(directory: model.directory, config: config, quantization: quantization)
        }
        guard case .mismatch(_, let problems) = error else { throw error }
        return problems
    }

    private func writeIndex(_ map: JSONObject, to model: TemporaryModel) throws {
        try model.write(JSONValue.object(["weight_map": .object(map)]).serialized, to: "model.safetensors.index.json")
    }

    private func open(_ name: String) throws -> (config: ModelConfig, checkpoint: Checkpoint) {
        try open(Fixtures.root.appending(path: "model/\(name)"))
    }

    private func open(_ directory: URL) throws -> (config: ModelConfig, checkpoint: Checkpoint) {
        let config = try ModelConfig(directory: directory)
        let quantization = try QuantizationConfig(directory: directory)
        return (config, try Checkpoint(directory: directory, config: config, quantization: quantization))
    }
}
