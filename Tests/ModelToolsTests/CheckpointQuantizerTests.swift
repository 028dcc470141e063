import Foundation
import JSON
import TestSupport
import Testing

@testable import Checkpoints
@testable import ModelTools

/// What `trinity quantize` writes beside the quantized matrices, and when it refuses.
@Suite struct CheckpointQuantizerTests {
    private let temporary: TemporaryModel
    private let source: TemporaryModel

    init() throws {
        temporary = try TemporaryModel()
        source = try TemporaryModel()
    }

    private var folder: URL { temporary.directory.appending(path: "out") }

    private func quantization() throws -> JSONValue {
        let json = try JSONValue(parsing: [UInt8](Data(contentsOf: folder.appending(path: "config.json"))))
        return try #require(json["quantization_config"])
    }

    /// A small model in `source`, with the tensors of `change`.
    private func makeSource(
        hiddenSize: Int = 6, change: (inout [String: TemporaryModel.Tensor]) -> Void = { _ in }
    ) throws {
        let json: JSONValue = [
            "model_type": "afmoe", "vocab_size": 10, "hidden_size": .integer(hiddenSize), "intermediate_size": 32,
            "moe_intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "head_dim": 16,
            "num_experts": 2, "num_experts_per_tok": 1, "num_shared_experts": 1,
        ]
        try source.write(json.serialized, to: "config.json")
        var tensors = TemporaryModel.tensors(of: try ModelConfig(parsing: json))
        change(&tensors)
        try source.write(tensors)
    }

    @Test(arguments: [CheckpointQuantizer.Format.fp8, .int4, .nvfp4])
    func `a head that is tied to the embeddings is not said to be quantized`(
        format: CheckpointQuantizer.Format
    ) throws {
        let source = Fixtures.root.appending(path: "model/b1_nomup_tied_shared2")
        try CheckpointQuantizer(source: source, destination: folder, format: format, quantizesLMHead: true).write()
        let written = try quantization()
        #expect(written["ignore"]?.array?.contains("lm_head") == true)
        #expect(written["config_groups"]?.object?.count == 1)
        #expect(written["format"]?.string != "mixed-precision")
    }

    @Test func `a head whose columns are no whole groups is counted, and not said to be quantized`() throws {
        try makeSource(hiddenSize: 48)
        let wide = try CheckpointQuantizer(
            source: source.directory, destination: folder, format: .int8, quantizesLMHead: true
        ).write()
        #expect(wide.contains("lm_head.weight") && wide.contains("model.layers.0.mlp.up_proj.weight"))
        let ignored = try #require(try quantization()["ignore"]?.array)
        #expect(ignored.filter { $0 == "lm_head" }.count == 1)
        #expect(ignored.contains("model.layers.0.mlp.up_proj"))
        #expect(!ignored.contains("model.layers.0.mlp.down_proj"))
    }

    @Test func `a file that cannot be copied is reported before the work`() throws {
        try makeSource()
        try FileManager.default.createSymbolicLink(
            atPath: source.directory.appending(path: "notes.txt").path, withDestinationPath: "nowhere")
        var calls = 0
        let error = try #require(throws: CheckpointError.self) {
            try CheckpointQuantizer(source: source.directory, destination: folder).write { _ in calls += 1 }
        }
        #expect(error.description.contains("notes.txt: a symbolic link to a file that does not exist"))
        #expect(calls == 0)
        #expect(!FileManager.default.fileExists(atPath: folder.path))
    }

    @Test func `an error of the progress ends the work and removes what was written`() throws {
        struct Stop: Error {}
        try makeSource()
        var calls = 0
        let quantizer = CheckpointQuantizer(source: source.directory, destination: folder)
        #expect(throws: Stop.self) {
            try quantizer.write { _ in
                calls += 1
                if calls == 5 { throw Stop() }
            }
        }
        #expect(calls == 5 && !FileManager.default.fileExists(atPath: folder.path))
        for format in [CheckpointSynthesizer.Format.bf16, .q40] {
            let synthesizer = CheckpointSynthesizer(shape: try ModelShape("tiny"), format: format, seed: 1)
            #expect(throws: Stop.self) { try synthesizer.write(to: folder) { _ in throw Stop() } }
            #expect(!FileManager.default.fileExists(atPath: folder.path))
        }
    }

    @Test func `all weights of an F16 checkpoint become BF16, but for the biases of experts`() throws {
        try makeSource { tensors in
            for (name, tensor) in tensors {
                let ones = (0..<tensor.bytes.count / 2).flatMap { _ in [0, 0x3C] as [UInt8] }
                tensors[name] = .init(type: "F16", shape: tensor.shape, bytes: ones)
            }
        }
        try CheckpointQuantizer(source: source.directory, destination: folder, format: .bf16).write()
        let written = try StoredTensors(directory: folder).tensors
        #expect(written.count > 30)
        for (name, tensor) in written {
            #expect(tensor.type == (name.hasSuffix(".expert_bias") ? .float16 : .bfloat16), "\(name)")
            #expect(tensor.float(0) == 1, "\(name)")
        }
    }

    @Test func `a checkpoint that has quantized only the KV cache can be quantized`() throws {
        try makeSource()
        var json = try #require(
            try JSONValue(parsing: [UInt8](Data(contentsOf: source.directory.appending(path: "config.json")))).object)
        json["quantization_config"] = [
            "quant_method": "compressed-tensors", "config_groups": [:], "kv_cache_scheme": ["num_bits": 8],
        ]
        try source.write(JSONValue.object(json).serialized, to: "config.json")
        try CheckpointQuantizer(source: source.directory, destination: folder).write()
        #expect(try QuantizationConfig(directory: folder)?.granularities == [.block(rows: 128, columns: 128)])
    }
}
