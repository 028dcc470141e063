import Foundation
import Scheduling
import TestSupport
import Testing

@testable import Engine

/// Weights that are not numbers: only the sequences that meet them fail, and each of them cleanly.
@Suite struct NotANumberTests {
    private static let source = Fixtures.root.appending(path: "model/a_base")

    /// The fixture with `count` elements of the tensor `name`, from `first` on, replaced by `value`.
    private func damaged(_ name: String, first: Int, count: Int, value: Float) throws -> TemporaryModel {
        let file = Self.source.appending(path: "model.safetensors")
        var bytes = [UInt8](try Data(contentsOf: file))
        let tensor = try #require(try SafetensorsFile(file).tensors[name])
        let address = try #require(tensor.bytes.baseAddress)
        let start = address - (try #require(tensor.owner.bytes.baseAddress))
        #expect(tensor.type == .float32)
        for element in first..<first + count {
            withUnsafeBytes(of: value.bitPattern.littleEndian) {
                bytes.replaceSubrange(start + element * 4..<start + element * 4 + 4, with: $0)
            }
        }
        let model = try TemporaryModel()
        try model.write(bytes)
        for name in ["config.json", "generation_config.json"] {
            try model.write([UInt8](Data(contentsOf: Self.source.appending(path: name))), to: name)
        }
        return model
    }

    @Test(arguments: [Float.nan, .infinity], KVDataType.allCases)
    func `a token whose row is not finite fails its sequence alone, and its blocks can be used again`(
        value: Float, cacheType: KVDataType
    ) async throws {
        let model = try damaged("model.embed_tokens.weight", first: 7 * 64, count: 64, value: value)
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
    func `damaged weights fail requests, not the process`(name: String) async throws {
        let model = try damaged(name, first: 0, count: 8, value: .nan)
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
}
