import Foundation
import Scheduling
import TestSupport
import Testing

@testable import Checkpoints
@testable import Engine

/// Weights that are finite, but so large that activations are not: only the sequences that use them fail, each with an error.
/// Weights that are not finite are refused.
@Suite struct NotANumberTests {
    private static let source = Fixtures.root.appending(path: "model/a_base")

    /// The fixture with `count` elements of each of the tensors `names`, from `first` on, replaced by `value`.
    static func damaged(_ names: String..., first: Int, count: Int, value: Float) throws -> TemporaryModel {
        let file = source.appending(path: "model.safetensors")
        var bytes = [UInt8](try Data(contentsOf: file))
        for name in names {
            let tensor = try #require(try SafetensorsFile(file).tensors[name])
            let address = try #require(tensor.bytes.baseAddress)
            let start = address - (try #require(tensor.owner.bytes.baseAddress))
            #expect(tensor.type == .float32)
            for element in first..<first + count {
                withUnsafeBytes(of: value.bitPattern.littleEndian) {
                    bytes.replaceSubrange(start + element * 4..<start + element * 4 + 4, with: $0)
                }
            }
        }
        let model = try TemporaryModel()
        try model.write(bytes)
        for name in ["config.json", "generation_config.json"] {
            try model.write([UInt8](Data(contentsOf: source.appending(path: name))), to: name)
        }
        return model
    }

    @Test(arguments: [Float.greatestFiniteMagnitude, -.greatestFiniteMagnitude], KVDataType.allCases)
    func `a token whose row overflows fails only its sequence, and its blocks can be used again`(
        value: Float, cacheType: KVDataType
    ) async throws {
        let model = try Self.damaged("model.embed_tokens.weight", first: 7 * 64, count: 64, value: value)
        let good = (1...6).map { id in
            var request = GenerationRequest.test(
                UInt64(id), (0..<20).map { Int32(30 + $0 * id % 200) }, maxTokens: 40, logprobs: 2,
                ignoresEndOfSequence: true)
            request.sampling.logitBias = [LogitBias(id: 7, bias: -100)]
            return request
        }
        let bad = (11...16).map { id in
            GenerationRequest.test(UInt64(id), (0..<id).map { $0 == 5 ? 7 : Int32($0) + 40 }, maxTokens: 5)
        }
        func harness(_ maxSequences: Int) -> EngineHarness {
            EngineHarness(model.directory) {
                $0.maxSequences = maxSequences
                $0.kvCacheType = cacheType
                $0.maxModelLength = 64
                $0.kvCacheMemory = 256 << 10
            }
        }
        let alone = harness(1)
        _ = try await alone.ready()
        var expected: [EngineHarness.Outcome] = []
        for request in good { expected += await alone.run([request]).0 }
        await alone.stop()
        #expect(expected.allSatisfy { $0.finish == .length })

        let together = harness(8)
        _ = try await together.ready()
        let (outcomes, statistics) = await together.run(waves: zip(bad, good).map { [$0, $1] })
        await together.stop()
        for (index, outcome) in outcomes.enumerated() {
            if index % 2 == 1 {
                #expect(outcome == expected[index / 2])
            } else {
                #expect(outcome.finish == .error(SamplerError.notFinite.description))
                #expect(outcome.ids.isEmpty)
            }
        }
        #expect(statistics.holdsNothing)
    }

    @Test(
        arguments: [
            "model.layers.3.mlp.router.gate.weight", "model.layers.3.mlp.expert_bias",
            "model.layers.0.self_attn.k_proj.weight", "model.layers.3.mlp.experts.0.down_proj.weight",
            "model.norm.weight", "lm_head.weight",
        ])
    func `weights that overflow fail requests, not the process`(name: String) async throws {
        let model = try Self.damaged(name, first: 0, count: 8, value: .greatestFiniteMagnitude)
        let harness = EngineHarness(model.directory) { $0.threads = 2 }
        _ = try await harness.ready()
        let requests = (1...4).map {
            GenerationRequest.test(UInt64($0), (0..<($0 * 9)).map { Int32($0) }, maxTokens: 20, temperature: 1)
        }
        let (outcomes, statistics) = await harness.run(requests)
        #expect(outcomes.allSatisfy { $0.finish != nil })
        #expect(statistics.holdsNothing)
        await harness.stop()
    }

    @Test(
        arguments: [
            "model.embed_tokens.weight", "model.norm.weight", "lm_head.weight", "model.layers.0.input_layernorm.weight",
            "model.layers.0.self_attn.k_proj.weight", "model.layers.3.mlp.router.gate.weight",
            "model.layers.3.mlp.expert_bias", "model.layers.0.self_attn.q_norm.weight",
            "model.layers.3.mlp.experts.0.down_proj.weight",
        ], [Float.nan, .infinity, -.infinity])
    func `weights that are not finite are refused with the tensor and the index`(
        name: String, value: Float
    ) throws {
        let config = try ModelConfig(directory: Self.source)
        let shape = try #require(config.expectedTensors.first { $0.name == name }).shape
        let index = shape.reduce(1, *) > 33 ? 33 : 3
        let model = try Self.damaged(name, first: index, count: 1, value: value)
        let checkpoint = try Checkpoint(directory: model.directory, config: config, quantization: nil)
        let error = try #require(throws: CheckpointError.self) {
            try ModelWeights(checkpoint: checkpoint, config: config, pool: .shared, kernels: .best(.exact))
        }
        #expect(error == .notFinite(tensor: name, value: "\(value)", shape: shape, index: index))
        let (row, column) = index.quotientAndRemainder(dividingBy: shape.last ?? 1)
        let place = shape.count == 2 ? "row \(row), column \(column)" : "index \(index)"
        #expect(error.description == "tensor \(name) is not finite: \(value) at \(place)")
    }

    @Test(arguments: [1, 2, 100])
    func `the first of several such weights is named, however many threads check them`(threads: Int) throws {
        let names = (3...4).map { "model.layers.3.mlp.experts.\($0).up_proj.weight" }
        let model = try Self.damaged(names[1], names[0], first: 5, count: 1, value: .nan)
        let config = try ModelConfig(directory: Self.source)
        let checkpoint = try Checkpoint(directory: model.directory, config: config, quantization: nil)
        let pool = WorkerPool(threads: threads, spinning: .zero)
        let error = try #require(throws: CheckpointError.self) {
            try ModelWeights(checkpoint: checkpoint, config: config, pool: pool, kernels: .best(.exact))
        }
        #expect(error.description.hasPrefix("tensor \(names[0]) is not finite: nan"))
    }
}
