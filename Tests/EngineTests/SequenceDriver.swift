import Checkpoints
import Scheduling

@testable import Engine

/// Runs prompts through a `Transformer` like a scheduler, with blocks in random order.
///
/// Every block is filled with NaN before its first use and again when it leaves the window, so that a read of a position that
/// was never written, or is no longer visible, shows in the results.
final class SequenceDriver {
    /// The result of a sequence, to be compared bit for bit.
    struct Output: Equatable {
        var ids: [Int32] = []
        /// One row per token, the prompt's first.
        var logits: [[Float]] = []
    }

    private final class Sequence {
        let promptCount: Int
        var tokens: [Int32]
        var computed = 0
        var globalTable: BlockTable
        var slidingTable: BlockTable
        var output = Output()

        init(_ promptIDs: [Int32], geometry: KVCacheGeometry) {
            promptCount = promptIDs.count
            tokens = promptIDs
            globalTable = BlockTable(blocksPerLogicalBlock: geometry.globalBlocksPerLogicalBlock)
            slidingTable = BlockTable(blocksPerLogicalBlock: geometry.slidingBlocksPerLogicalBlock)
        }
    }

    let transformer: Transformer
    private let config: ModelConfig
    private let storage: KVStorage
    private let geometry: KVCacheGeometry
    private var freeBlocks: [Int32] = []

    init(
        config: ModelConfig, weights: ModelWeights, pool: WorkerPool, kernels: KernelTable,
        dataType: KVDataType = .f32, maxTokens: Int
    ) throws {
        self.config = config
        let layout = KVCacheLayout(config: config, dataType: dataType)
        let logicalBlocks = maxTokens / 16 + 64
        let blocks = logicalBlocks * (layout.globalBlocksPerLogicalBlock + layout.slidingBlocksPerLogicalBlock)
        geometry = layout.geometry(totalBlocks: blocks)
        storage = try KVStorage(layout: layout, totalBlocks: blocks)
        // As the loader does.
        var kernels = kernels
        kernels.encodesIntegers = weights.isQuantized && kernels.product == nil
        transformer = Transformer(
            config: config, weights: weights, storage: storage, pool: pool, kernels: kernels,
            maxTokens: maxTokens, maxLogitRows: maxTokens)
        freeBlocks = (0..<Int32(blocks)).map { $0 }
        var state: UInt64 = 0x9e37_79b9
        for index in stride(from: blocks - 1, to: 0, by: -1) {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            freeBlocks.swapAt(index, Int(state >> 33) % (index + 1))
        }
        for block in freeBlocks { poison(block) }
    }

    /// Prefills each prompt in chunks of `chunk` tokens, then decodes greedily until each has `count` ids; all prompts
    /// in every step together.
    func run(_ prompts: [[Int32]], chunk: Int = .max, count: Int) -> [Output] {
        let sequences = prompts.map { Sequence($0, geometry: geometry) }
        while true {
            let active = sequences.filter { $0.output.ids.count < count }
            if active.isEmpty { break }
            step(active, chunk: chunk)
        }
        for sequence in sequences {
            for block in sequence.globalTable.blocks + sequence.slidingTable.blocks where block >= 0 { free(block) }
        }
        return sequences.map(\.output)
    }

    private func step(_ sequences: [Sequence], chunk: Int) {
        var batch = ForwardBatch()
        for sequence in sequences {
            let end = min(sequence.tokens.count, sequence.computed + min(chunk, sequence.tokens.count))
            allocate(sequence, tokens: end)
            let first = batch.tokens.count
            batch.tokens += sequence.tokens[sequence.computed..<end]
            batch.sequences.append(
                ForwardBatch.Sequence(
                    rows: first..<batch.tokens.count, start: sequence.computed, globalTable: sequence.globalTable,
                    slidingTable: sequence.slidingTable))
        }
        batch.logitRows = Array(0..<batch.tokens.count)
        let logits = transformer.forward(batch)
        let width = config.vocabularySize
        for (sequence, part) in zip(sequences, batch.sequences) {
            for row in part.rows { sequence.output.logits.append(Array(logits[row * width..<(row + 1) * width])) }
            sequence.computed += part.rows.count
            if sequence.computed == sequence.tokens.count, let last = sequence.output.logits.last {
                let id = Int32(last.max().flatMap { last.firstIndex(of: $0) } ?? 0)
                sequence.output.ids.append(id)
                sequence.tokens.append(id)
            }
            freeOutsideWindow(sequence)
        }
    }

    private func allocate(_ sequence: Sequence, tokens: Int) {
        let logicalBlocks = (tokens + 15) / 16
        while sequence.globalTable.blocks.count < logicalBlocks * geometry.globalBlocksPerLogicalBlock {
            sequence.globalTable.blocks.append(freeBlocks.removeFirst())
        }
        while sequence.slidingTable.blocks.count < logicalBlocks * geometry.slidingBlocksPerLogicalBlock {
            sequence.slidingTable.blocks.append(freeBlocks.removeFirst())
        }
    }

    private func freeOutsideWindow(_ sequence: Sequence) {
        let firstVisible = max(sequence.computed - config.slidingWindow + 1, 0)
        for index in 0..<firstVisible / 16 * geometry.slidingBlocksPerLogicalBlock
        where sequence.slidingTable.blocks[index] != BlockTable.nullBlock {
            free(sequence.slidingTable.blocks[index])
            sequence.slidingTable.blocks[index] = BlockTable.nullBlock
        }
    }

    private func free(_ block: Int32) {
        poison(block)
        freeBlocks.append(block)
    }

    private func poison(_ block: Int32) {
        let bytes = storage.layout.bytesPerBlock
        (storage.base + Int(block) * bytes).initializeMemory(as: UInt8.self, repeating: 0xff, count: bytes)
    }
}
