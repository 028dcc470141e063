import JSON
import TestSupport
import Testing

@testable import Engine
@testable import ModelTools

@Suite struct EngineBenchmarkTests {
    @Test func `a quick run on the chat model gives the documented JSON`() throws {
        var options = EngineOptions(modelDirectory: Fixtures.chatModel)
        options.threads = 2
        options.pinsThreads = false
        // As if each thread were on a node of its own.
        options.nodes = NodePlan([.init(0, threads: 0..<1), .init(0, threads: 1..<2)])
        let report = try EngineBenchmark(options: options, isQuick: true).run()
        let json = try JSONValue(parsing: Array(report.json.utf8))
        #expect(
            names(json) == [
                "machine", "ceiling", "model", "load_seconds", "resident_bytes", "prefill", "decode",
            ])
        #expect(names(json["machine"]) == ["cpu", "threads", "kernels"])
        #expect(names(json["ceiling"]) == ["read_gb_s", "bf16_gflop_s", "int_gflop_s", "nodes"])
        // The model has no quantized weights that integers multiply.
        #expect(json["ceiling"]?["int_gflop_s"] == .null)
        #expect(names(json["model"]) == ["parameters", "active_bytes_per_token"])
        #expect(json["machine"]?["threads"] == 2)
        #expect(json["ceiling"]?["read_gb_s"]?.double ?? 0 > 0)
        let nodes = json["ceiling"]?["nodes"]?.array ?? []
        #expect(nodes.map { $0["node"] } == [0, 0])
        #expect(nodes.allSatisfy { $0["read_gb_s"]?.double ?? 0 > 0 })
        #expect(report.lines.contains { $0.hasPrefix("nodes     read ") && $0.hasSuffix(" GB/s of node 0") })
        #expect(json["resident_bytes"]?.integer ?? 0 > 1 << 20)

        let prefill = json["prefill"]?.array ?? []
        // Its 2048 positions are enough for a prompt of that length, but not for a decode at 8192.
        #expect(prefill.map { $0["tokens"] } == [128, 512, 2048])
        let decode = json["decode"]?.array ?? []
        #expect(decode.map { $0["sequences"] } == [1, 4, 8, 16, 32, 1])
        #expect(decode.map { $0["context"] } == [128, 128, 128, 128, 128, 1024])
        #expect(report.notes.count == 1)
        for row in prefill { #expect(names(row) == ["tokens", "tok_s", "gflop_s"]) }
        for row in decode { #expect(names(row) == ["sequences", "context", "tok_s", "gb_s"]) }
        #expect((prefill + decode).allSatisfy { ($0["tok_s"]?.double ?? 0) > 0 })
    }

    @Test func `bytes and operations follow from Nano's shape`() throws {
        let config = try ModelShape("nano").config
        let cost = StepCost(config: config, linearSize: 1, lmHeadSize: 2, sensitiveSize: 2, cacheType: .bf16)
        // Attention 56 x 3670016, dense 2 x 9437184, nine experts 54 x 9 x 786432 bytes; a 4-byte scale for each 16 rows
        // and 128 columns of them; head and routers 2 x 212074496; norms 4 x 251648; one row of the embeddings.
        let linear = 56 * 3_670_016 + 2 * 9_437_184 + 54 * 9 * 786_432
        let scales = 8 * (56 * 224 + 2 * 576 + 54 * 9 * 48)
        #expect(cost.activeBytesPerToken == linear + 4 * scales + 2 * 212_074_496 + 4 * 251_648 + 2048)
        let float8LMHead = StepCost(config: config, linearSize: 1, lmHeadSize: 1, sensitiveSize: 2, cacheType: .bf16)
        #expect(cost.activeBytesPerToken - float8LMHead.activeBytesPerToken == 204_996_608 - 4 * 12_512 * 8)
        // 14 layers attend to 8192 keys, 42 to 2048, of 1 KiB each.
        #expect(
            cost.decodeBytes(sequences: 1, context: 8192) - Double(cost.activeBytesPerToken)
                == Double((14 * 8192 + 42 * 2048) * 1024))
        // Many tokens use all 128 experts.
        let all = WeightTally(config, .init(hasEmbeddings: false)).bytes(linearSize: 1).total
        #expect(abs(cost.decodeBytes(sequences: 4096, context: 0) - Double(all + 4096 * 2048)) < 1)
        let tokens = 2.0 * Double(linear + 54 * 128 * 1024)
        #expect(
            cost.prefillOperations(tokens: 3)
                == 3 * tokens + 2 * 200_192 * 1024 + 4 * 1024 * 56 * 6)
    }

    private func names(_ value: JSONValue?) -> [String] {
        value?.object.map { $0.map(\.name) } ?? []
    }
}
