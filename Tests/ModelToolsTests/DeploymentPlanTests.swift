import TestSupport
import Testing

@testable import Checkpoints
@testable import Engine
@testable import ModelTools

/// Numbers computed by hand from Nano's published shape: 56 layers, 2 of them dense, 14 global.
@Suite struct DeploymentPlanTests {
    private func nano(_ weights: DeploymentPlan.Weights = .fp8, sequences: Int = 1) throws -> DeploymentPlan {
        try DeploymentPlan(
            shape: ModelShape("nano"), context: 8192, sequences: sequences, weights: weights, cacheType: .bf16)
    }

    @Test func `Nano's weights are counted`() throws {
        let tally = WeightTally(try ModelShape("nano").config)
        #expect(tally.linear == 5_702_680_576)
        #expect(tally.scales == 8 * 348_064)
        // 200192 x 1024, and 54 routers of 128 x 1024.
        #expect(tally.sensitive == 212_074_496)
        #expect(tally.lmHead == 204_996_608)
        #expect(tally.lmHeadScales == 12_512 * 8)
        #expect(tally.vectors == 251_648)
        #expect(tally.parameters == 6_120_003_328)
    }

    @Test func `Nano's weights take one or two bytes for each parameter of a linear layer`() throws {
        #expect(try nano().weightBytes.total == 6_548_967_424)
        #expect(try nano(.bf16).weightBytes.total == 12_240_509_952)
    }

    @Test func `Nano's cache is planned by group`() throws {
        let cache = try nano(sequences: 3).cacheBytes
        // 8192 tokens x 14 layers x 1 KiB; 161 logical blocks of 16 tokens (the window and a step) x 42 layers x 1 KiB.
        #expect(cache.global == 3 * 117_440_512)
        #expect(cache.sliding == 3 * 110_788_608)
    }

    @Test(arguments: ["a_base", "b1_nomup_tied_shared2", "c_odd_sharded", "f4_fp8_ds_block_ragged"])
    func `the count equals that of the tensors of a checkpoint`(name: String) throws {
        let config = try ModelConfig(directory: Fixtures.root.appending(path: "model/\(name)"))
        func count(_ role: ExpectedTensor.Role) -> Int {
            config.expectedTensors.reduce(0) { $0 + ($1.role == role ? $1.shape.reduce(1, *) : 0) }
        }
        let tally = WeightTally(config)
        #expect(tally.linear == count(.linear))
        #expect(tally.sensitive == count(.sensitive))
        #expect(tally.lmHead == count(.lmHead))
        #expect(tally.vectors == count(.vector))
    }

    @Test(arguments: [DeploymentPlan.Weights.int8, .int4, .nvfp4])
    func `weights in groups of columns take what the server packs`(weights: DeploymentPlan.Weights) throws {
        let folder = Fixtures.root.appending(path: "model/e_bf16")
        let plan = try DeploymentPlan(
            shape: ModelShape(folder.path), context: 8192, sequences: 1, weights: weights, cacheType: .bf16)
        let options = try #require(EngineOptions.Quantization(rawValue: weights.rawValue))
        let checkpoint = try Checkpoint(
            directory: folder, config: plan.config, quantization: nil, quantizing: options.weights)
        #expect(plan.totalWeightBytes == checkpoint.packedBytes)
        #expect(plan.lines.contains { $0.hasPrefix("  linear layers, \(weights.rawValue) ") })
        let hosts = try plan.hostPlans(hosts: 2).reduce(0) { $0 + $1.weights }
        #expect((plan.totalWeightBytes - 2...plan.totalWeightBytes).contains(hosts))
    }

    /// Layers of a Q4_K_M file have tensors of different formats.
    @Test(arguments: ["gguf_q4_k_m/model.gguf", "ct_w4a16_g128"])
    func `hosts of a stored quantized model have what its tensors take`(name: String) throws {
        let model = Fixtures.root.appending(path: "low-bit/model/\(name)")
        let plan = try DeploymentPlan(
            shape: ModelShape(model.path), context: 256, sequences: 1, weights: nil, cacheType: .bf16)
        let checkpoint = try ModelFiles(model).checkpoint(plan.config)
        #expect(plan.totalWeightBytes == checkpoint.packedBytes)
        let planner = StagePlanner(checkpoint, config: plan.config)
        let hosts = try plan.hostPlans(hosts: 2)
        #expect(hosts.count == 2)
        for host in hosts { #expect(host.weights == planner.bytes(of: host.stage)) }
    }

    @Test(arguments: [(0, 1), (1, 0), (1 << 31, 1), (1, 1 << 21)] as [(Int, Int)])
    func `numbers outside their ranges are refused`(context: Int, sequences: Int) throws {
        let shape = try ModelShape("large")
        #expect(throws: ToolError.self) {
            try DeploymentPlan(
                shape: shape, context: context, sequences: sequences, weights: .fp8, cacheType: .f32)
        }
    }

    @Test func `the printed plan has weights and the cache of each group`() throws {
        let lines = try nano().lines
        for row in ["weights ", "KV cache, bf16 ", "  14 global layers ", "  42 sliding layers ", "total "] {
            #expect(lines.contains { $0.hasPrefix(row) }, "\(row)")
        }
        #expect(lines.contains { $0.hasSuffix(", 1 sequence of 8192 tokens") })
        #expect(try nano(sequences: 2).lines.contains { $0.hasSuffix(", 2 sequences of 8192 tokens") })
        #expect(lines.last == "Activations are not counted.")
        // Every label ends before the column of values.
        #expect(lines.dropLast(2).allSatisfy { line in line.dropFirst(37).first == " " }, "\(lines)")
    }

    @Test(arguments: [DeploymentPlan.Weights.fp8, .bf16, .int4])
    func `the values of the printed plan stand apart from their names`(weights: DeploymentPlan.Weights) throws {
        // The last two lines are a note.
        let rows = try nano(weights).lines.dropLast(2)
        #expect(rows.count > 5)
        for row in rows { #expect(row.drop { $0 == " " }.contains("  "), "\(row)") }
    }

    @Test(arguments: [4, 8, 16])
    func `hosts together have all weights and all of the cache`(hosts: Int) throws {
        let plan = try DeploymentPlan(
            shape: try ModelShape("large"), context: 8192, sequences: 4, weights: .fp8, cacheType: .bf16)
        let plans = try plan.hostPlans(hosts: hosts)
        #expect(plans.count == hosts)
        #expect(plans.flatMap { Array($0.stage.layers) } == Array(0..<plan.config.layers))
        // Each host's number is rounded down.
        let weights = plans.reduce(0) { $0 + $1.weights }
        #expect((plan.totalWeightBytes - hosts...plan.totalWeightBytes).contains(weights))
        let whole = plan.cacheBytes
        let cache = plans.reduce(0) { $0 + $1.cache }
        #expect(cache >= whole.global + whole.sliding && cache < whole.global + 2 * whole.sliding)
        // The table in docs/scaling.md.
        let largest = plans.reduce(0) { max($0, $1.weights) }
        #expect(Int((Double(largest) / 1e9).rounded()) == [4: 103, 8: 51, 16: 29][hosts])
        let lines = try plan.lines(hosts: hosts)
        #expect(lines.count == hosts + 1)
        #expect(lines.last?.hasPrefix("\(hosts - 1)") == true && lines.last?.hasSuffix("GiB") == true)
    }

    @Test func `the memory of hosts bounds their weights, and their bandwidth gives rates`() throws {
        let plan = try DeploymentPlan(
            shape: try ModelShape("large"), context: 8192, sequences: 4, weights: .fp8, cacheType: .bf16)
        #expect(throws: ToolError.self) { try plan.hostPlans(hosts: 4, memory: 100 << 30) }
        let memory = 122 << 30
        let plans = try plan.hostPlans(hosts: 4, memory: memory)
        #expect(plans.allSatisfy { $0.weights <= memory * 7 / 8 })
        let lines = try plan.lines(hosts: 4, memory: memory, bandwidth: 400e9)
        // One stream is as fast as on one host, and many are faster on more.
        func rate(_ hosts: Int, _ name: String) throws -> Double {
            let line = try #require(
                try plan.lines(hosts: hosts, bandwidth: 400e9).first { $0.hasPrefix("decode, \(name) ") })
            return try #require(Double(line.split(separator: " ").dropLast().last ?? ""))
        }
        #expect(lines.contains { $0.hasPrefix("decode, one stream ") })
        #expect(try rate(1, "one stream") == rate(8, "one stream"))
        #expect(try (20...40).contains(rate(8, "one stream")))
        #expect(try rate(8, "64 streams") > 4 * rate(1, "8 streams"))
    }

    @Test(arguments: [0, -1, 57]) func `more hosts than layers are refused`(hosts: Int) throws {
        let plan = try DeploymentPlan(
            shape: try ModelShape("nano"), context: 8192, sequences: 1, weights: nil, cacheType: .bf16)
        #expect(throws: ToolError.self) { try plan.lines(hosts: hosts) }
    }
}
