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
        #expect(tally.scales == 128 * 348_064)
        // 200192 x 1024, and 54 routers of 128 x 1024.
        #expect(tally.sensitive == 212_074_496)
        #expect(tally.lmHead == 204_996_608)
        #expect(tally.lmHeadScales == 200_192 * 8)
        #expect(tally.vectors == 251_648)
        #expect(tally.parameters == 6_120_003_328)
    }

    @Test func `Nano's weights take one or two bytes for each parameter of a linear layer`() throws {
        #expect(try nano().weightBytes.total == 6_716_038_144)
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
        #expect(lines.last == "Activations are not counted.")
    }

    @Test(arguments: [4, 8, 16])
    func `hosts together have all weights and all of the cache`(hosts: Int) throws {
        let plan = try DeploymentPlan(
            shape: try ModelShape("large"), context: 8192, sequences: 4, weights: .fp8, cacheType: .bf16)
        let lines = try plan.lines(hosts: hosts)
        #expect(lines.count == hosts + 1)
        let layers = lines.dropFirst().compactMap { line -> ClosedRange<Int>? in
            let bounds = line.split(separator: " ")[1].split(separator: "-").compactMap { Int($0) }
            return bounds.count == 2 ? bounds[0]...bounds[1] : nil
        }
        #expect(layers.flatMap { Array($0) } == Array(0..<plan.config.layers))
        let cache = Stage.stages(layerCounts: layers.map(\.count)).map { plan.cacheBytes(of: $0) }
        let whole = plan.cacheBytes
        #expect(cache.reduce(0) { $0 + $1.global } >= whole.global)
        #expect(cache.reduce(0) { $0 + $1.sliding } < 2 * whole.sliding)
    }

    @Test(arguments: [0, -1, 57]) func `more hosts than layers are refused`(hosts: Int) throws {
        let plan = try DeploymentPlan(
            shape: try ModelShape("nano"), context: 8192, sequences: 1, weights: nil, cacheType: .bf16)
        #expect(throws: ToolError.self) { try plan.lines(hosts: hosts) }
    }
}
