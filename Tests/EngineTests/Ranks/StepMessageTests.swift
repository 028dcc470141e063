import Scheduling
import TestSupport
import Testing

@testable import Engine

@Suite struct StepMessageTests {
    private static let bounds = StepBounds(
        rows: 64, sequences: 4, length: 300, hiddenSize: 3,
        geometry: KVCacheGeometry(
            blockSize: 16, globalBlocksPerLogicalBlock: 1, slidingBlocksPerLogicalBlock: 3, slidingWindow: 40,
            totalBlocks: 50))

    private static func batch(_ spans: [Range<Int>], _ random: inout SeededGenerator) -> ForwardBatch {
        var batch = ForwardBatch()
        for span in spans {
            let visible = bounds.logicalBlocks(start: span.lowerBound, end: span.upperBound)
            var tables = [BlockTable(blocksPerLogicalBlock: 1), BlockTable(blocksPerLogicalBlock: 3)]
            for (index, blocks) in [visible.global, visible.sliding].enumerated() {
                let parts = tables[index].blocksPerLogicalBlock
                tables[index].blocks = (0..<blocks.upperBound * parts).map { place in
                    place < blocks.lowerBound * parts
                        ? BlockTable.nullBlock : Int32.random(in: 0..<50, using: &random)
                }
            }
            let first = batch.tokens.count
            batch.tokens += [Int32](repeating: 0, count: span.count)
            batch.sequences.append(
                .init(
                    rows: first..<batch.tokens.count, start: span.lowerBound, globalTable: tables[0],
                    slidingTable: tables[1]))
        }
        batch.finalRows = (0..<batch.tokens.count).filter { _ in random.oneIn(2) }
        return batch
    }

    private static func message(_ batch: ForwardBatch, times: [StageTime], rows: [Float]) -> [UInt8] {
        rows.withUnsafeBufferPointer { StepMessage.bytes(number: 9, batch, times: times, rows: $0, bounds) }
    }

    @Test func `a step is read as it was written`() throws {
        var random = SeededGenerator(seed: 1)
        for _ in 0..<200 {
            let spans = (0..<Int.random(in: 1...4, using: &random)).map { _ in
                let start = Int.random(in: 0...280, using: &random)
                return start..<start + Int.random(in: 1...16, using: &random)
            }
            let batch = Self.batch(spans, &random)
            let rows = (0..<batch.tokens.count * 3).map { _ in Float.random(in: -1...1, using: &random) }
            let times = (0..<Int.random(in: 1...3, using: &random)).map { StageTime(compute: UInt64($0), wait: 7) }
            let bytes = Self.message(batch, times: times, rows: rows)
            let step = try StepMessage(bytes, from: times.count - 1, Self.bounds)
            #expect(step.number == 9 && step.times == times)
            #expect(step.batch.tokens == batch.tokens && step.batch.finalRows == batch.finalRows)
            #expect(step.batch.logitRows.isEmpty)
            #expect(step.batch.sequences.map(\.rows) == batch.sequences.map(\.rows))
            #expect(step.batch.sequences.map(\.start) == batch.sequences.map(\.start))
            #expect(step.batch.sequences.map(\.globalTable) == batch.sequences.map(\.globalTable))
            #expect(step.batch.sequences.map(\.slidingTable) == batch.sequences.map(\.slidingTable))
            #expect(step.withRows { Array($0.assumingMemoryBound(to: Float.self)) } == rows)
            #expect(bytes.count <= Self.bounds.bytes(ranks: 3))
        }
    }

    @Test func `every part and every extension of a step is refused`() {
        var random = SeededGenerator(seed: 2)
        let batch = Self.batch([0..<5, 100..<101], &random)
        let bytes = Self.message(
            batch, times: [StageTime(compute: 1, wait: 2)], rows: [Float](repeating: 1, count: 18))
        for count in 0..<bytes.count {
            #expect(throws: RankMessageError.self) {
                try StepMessage(Array(bytes.prefix(count)), from: 0, Self.bounds)
            }
        }
        #expect(throws: RankMessageError.self) { try StepMessage(bytes + [0], from: 0, Self.bounds) }
        #expect(throws: RankMessageError.self) { try StepMessage(bytes, from: 1, Self.bounds) }
    }

    @Test func `numbers beyond the bounds are refused with their name`() {
        var random = SeededGenerator(seed: 3)
        let bytes = Self.message(
            Self.batch([0..<5, 100..<101], &random), times: [StageTime(compute: 1, wait: 2)],
            rows: [Float](repeating: 1, count: 18))
        // Where the numbers of the header are: after mark, version, kind and the step's number; times take 16 bytes.
        for (offset, value, name) in [
            (0, UInt32(1), "protocol"), (4, 2, "version"), (16, 2, "stages"), (20, 65, "rows"), (20, 0, "rows"),
            (24, 5, "sequences"), (24, 0, "sequences"), (28, 7, "final rows"), (48, 6, "rows"), (48, 0, "rows"),
            (52, 296, "start"), (64, 50, "block number"), (64, .max, "block number"),
        ] {
            var changed = bytes
            withUnsafeBytes(of: value.littleEndian) { changed.replaceSubrange(offset..<offset + 4, with: $0) }
            let error = #expect(throws: RankMessageError.self, "\(name) \(value)") {
                try StepMessage(changed, from: 0, Self.bounds)
            }
            #expect(error?.reason.contains(name) == true, "\(name): \(error?.reason ?? "")")
        }
    }

    @Test func `a reply has the final rows only, and is read for its step only`() throws {
        let residual = (0..<12).map { Float($0) }
        let times = [StageTime(compute: 1, wait: 2), StageTime(compute: 3, wait: 4)]
        let bytes = residual.withUnsafeBufferPointer {
            StepReply.bytes(number: 4, times: times, finalRows: [0, 3], of: $0, hiddenSize: 3)
        }
        func read(
            _ bytes: [UInt8], number: UInt64 = 4, rows: Int = 2, ranks: Int = 2, hiddenSize: Int = 3
        ) throws(RankMessageError) -> StepReply {
            try StepReply(bytes, number: number, rows: rows, ranks: ranks, hiddenSize: hiddenSize)
        }
        let reply = try read(bytes)
        #expect(reply.times == times)
        #expect(reply.withRows { Array($0.assumingMemoryBound(to: Float.self)) } == [0, 1, 2, 9, 10, 11])
        for count in 0..<bytes.count { #expect(throws: RankMessageError.self) { try read(Array(bytes.prefix(count))) } }
        #expect(throws: RankMessageError.self) { try read(bytes + [0]) }
        #expect(throws: RankMessageError.self) { try read(bytes, number: 5) }
        #expect(throws: RankMessageError.self) { try read(bytes, rows: 1) }
        #expect(throws: RankMessageError.self) { try read(bytes, ranks: 3) }
        #expect(throws: RankMessageError.self) { try read(bytes, hiddenSize: 4) }
    }

    /// Steps with wrong numbers, as a rank gets them: it refuses them or computes something, and never traps.
    @Test func `a stage computes whatever step passes the checks`() throws {
        let model = try ModelCase("a_base")
        let (config, kernels) = (model.config, KernelTable.best(.exact))
        let stage = Stage(rank: 1, ranks: 3, layers: 3..<5)
        let layout = KVCacheLayout(config: config, dataType: .f32, stage: stage)
        let checkpoint = try model.checkpoint().checkpoint
        let transformer = Transformer(
            config: config,
            weights: try ModelWeights(
                checkpoint: checkpoint, config: config, stage: stage, pool: .single, kernels: kernels),
            storage: try KVStorage(layout: layout, totalBlocks: 40), pool: .single, kernels: kernels, maxTokens: 8,
            maxLogitRows: 0, stage: stage)
        let bounds = StepBounds(
            rows: 8, sequences: 3, length: 100, hiddenSize: config.hiddenSize,
            geometry: layout.geometry(totalBlocks: 40))
        var random = SeededGenerator(seed: 5)
        var batch = ForwardBatch()
        batch.tokens = [0, 0, 0]
        for (rows, start) in [(0..<2, 30), (2..<3, 5)] {
            let blocks = bounds.logicalBlocks(start: start, end: start + rows.count).global.count
            let geometry = bounds.geometry
            batch.sequences.append(
                .init(
                    rows: rows, start: start,
                    globalTable: BlockTable(
                        blocksPerLogicalBlock: geometry.globalBlocksPerLogicalBlock,
                        blocks: [Int32](repeating: 1, count: blocks * geometry.globalBlocksPerLogicalBlock)),
                    slidingTable: BlockTable(
                        blocksPerLogicalBlock: geometry.slidingBlocksPerLogicalBlock,
                        blocks: [Int32](repeating: 2, count: blocks * geometry.slidingBlocksPerLogicalBlock))))
        }
        let rows = [Float](repeating: 0.5, count: 3 * config.hiddenSize)
        let bytes = rows.withUnsafeBufferPointer {
            StepMessage.bytes(number: 1, batch, times: [StageTime(compute: 1, wait: 1)], rows: $0, bounds)
        }
        var (computed, refused) = (0, 0)
        for _ in 0..<2000 {
            var mutant = bytes
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let place = Int.random(in: 8..<200, using: &random)
                mutant[place] =
                    random.oneIn(2)
                    ? UInt8.random(in: 0...40, using: &random) : UInt8(truncatingIfNeeded: random.next())
            }
            guard let step = try? StepMessage(mutant, from: 0, bounds) else {
                refused += 1
                continue
            }
            step.withRows { transformer.resume(step.batch, rows: $0) }
            computed += 1
        }
        #expect(computed > 100 && refused > 100)
    }
}
