import TestSupport
import Testing

@testable import Checkpoints
@testable import Engine

@Suite struct StagePlannerTests {
    private static func planner(_ layers: [Int], ends: Int) -> StagePlanner {
        StagePlanner(
            layers: layers.map { .init(bytes: $0, readBytes: Double($0)) },
            ends: .init(bytes: ends, readBytes: Double(ends)))
    }

    @Test func `equal layers are divided equally, and the head counts for rank 0`() throws {
        let plenty = [Int](repeating: 1 << 30, count: 4)
        #expect(try Self.planner([Int](repeating: 2, count: 8), ends: 0).layerCounts(memory: plenty) == [2, 2, 2, 2])
        #expect(try Self.planner([Int](repeating: 2, count: 8), ends: 6).layerCounts(memory: plenty)[0] == 1)
        #expect(try Self.planner([5], ends: 1).layerCounts(memory: [100]) == [1])
    }

    /// All divisions of small models, compared with the planned one.
    @Test func `no division has a faster slowest rank`() throws {
        var random = SeededGenerator(seed: 7)
        var fitting = 0
        for _ in 0..<300 {
            let layers = (0..<Int.random(in: 1...7, using: &random)).map { _ in Int.random(in: 1...9, using: &random) }
            let ranks = Int.random(in: 1...layers.count, using: &random)
            let ends = Int.random(in: 0...9, using: &random)
            let memory = (0..<ranks).map { _ in Int.random(in: 5...40, using: &random) }
            let planner = Self.planner(layers, ends: ends)
            func slowest(_ counts: [Int]) -> Int? {
                var worst = 0
                for stage in Stage.stages(layerCounts: counts) {
                    let own = layers[stage.layers].reduce(stage.isFirst ? ends : 0, +)
                    if own > memory[stage.rank] { return nil }
                    worst = max(worst, own)
                }
                return worst
            }
            let best = Self.divisions(layers.count, ranks).compactMap(slowest).min()
            let planned = try? planner.layerCounts(memory: memory)
            #expect(planned.flatMap(slowest) == best)
            if let planned {
                try planner.check(planned, memory: memory)
                fitting += 1
            }
        }
        #expect(fitting > 50 && fitting < 300)
    }

    private static func divisions(_ layers: Int, _ ranks: Int) -> [[Int]] {
        if ranks == 1 { return [[layers]] }
        guard layers >= ranks else { return [] }
        return (1...layers - ranks + 1).flatMap { first in divisions(layers - first, ranks - 1).map { [first] + $0 } }
    }

    @Test func `more ranks than layers, too little memory and wrong numbers are refused`() {
        let planner = Self.planner([3, 3, 3], ends: 1)
        #expect(throws: StagePlanner.Failure.tooManyRanks(ranks: 4, layers: 3)) {
            try planner.layerCounts(memory: [9, 9, 9, 9])
        }
        #expect(throws: StagePlanner.Failure.memory(neededBytes: 10, availableBytes: 9, ranks: 2)) {
            try planner.layerCounts(memory: [4, 5])
        }
        for counts in [[], [3], [1, 1], [0, 3], [2, 2], [1, 1, 1], [-1, 4], [Int.max, Int.max]] {
            #expect(throws: StagePlanner.Failure.layerCounts(counts, ranks: 2, layers: 3)) {
                try planner.check(counts, memory: [.max, .max])
            }
        }
    }

    @Test(arguments: ["a_base", "b1_nomup_tied_shared2", "ct_w4a16_g32", "gguf_q4_k_m"])
    func `the parts of a checkpoint are all its weights`(name: String) throws {
        let (config, checkpoint) = try ModelCase(name).checkpoint()
        let planner = StagePlanner(checkpoint, config: config)
        #expect(planner.bytes(of: .whole(config)) == checkpoint.packedBytes)
        let counts = try planner.layerCounts(memory: [.max, .max])
        #expect(counts.reduce(0, +) == config.layers)
    }
}
