import Engine
import Scheduling

/// Runs and times the steps of a benchmark with a transformer; it assigns blocks of the KV cache in order.
struct BenchmarkDriver {
    /// The medians of several decode steps.
    struct Step {
        var seconds: Double
        /// The bytes of weights, keys and values that the step read.
        var bytes: Double
    }

    /// The maximum number of steps of one decode measurement.
    static let maximumSteps = 64
    private static let measuredTime = Duration.milliseconds(800)
    /// The time after which fewer than three repetitions suffice.
    private static let longestTime = Duration.seconds(10)

    private let loaded: EngineLoader.Loaded
    private let isQuick: Bool
    private let clock = ContinuousClock()
    private var filledBlocks = 0

    init(loaded: EngineLoader.Loaded, isQuick: Bool) {
        self.loaded = loaded
        self.isQuick = isQuick
    }

    private var geometry: KVCacheGeometry { loaded.loadedModel.geometry }

    /// Returns whether this many sequences of `tokens` tokens each fit into the model and the cache.
    func fits(sequences: Int, tokens: Int) -> Bool {
        tokens <= loaded.loadedModel.maxModelLength
            && sequences * geometry.logicalBlocks(tokens: tokens) * geometry.blocksPerLogicalBlock
                <= geometry.totalBlocks
            && sequences <= loaded.limits.maxSequences
    }

    /// Returns the median time of the prefill of `tokens` tokens in steps of `chunk` tokens, in seconds.
    mutating func prefill(tokens: Int, chunk: Int) -> Double {
        let tables = tables(tokens: tokens, firstQuery: 0, firstBlock: 0).tables
        return median(limit: 5) { _ in
            for start in stride(from: 0, to: tokens, by: chunk) {
                let count = min(chunk, tokens - start)
                var batch = ForwardBatch()
                batch.tokens = (start..<start + count).map(token)
                batch.sequences = [sequence(rows: 0..<count, start: start, tables)]
                if start + count == tokens { batch.logitRows = [count - 1] }
                _ = loaded.transformer.forward(batch)
            }
        }
    }

    /// Measures a step that decodes one token greedily for each of `sequences` sequences after `context` tokens.
    ///
    /// - Parameter computesContext: whether the contexts are different prompts, which are computed first, because the number of
    ///   bytes that several sequences read depends on how differently they choose experts. If false, the cache is filled with
    ///   constants.
    mutating func decode(sequences: Int, context: Int, computesContext: Bool) -> Step {
        var all: [(global: BlockTable, sliding: BlockTable)] = []
        var next = 0
        for _ in 0..<sequences {
            let (tables, end) = tables(
                tokens: context + Self.maximumSteps, firstQuery: computesContext ? 0 : context,
                firstBlock: next)
            all.append(tables)
            next = end
        }
        var last = (0..<sequences).map { token($0) }
        if computesContext {
            for (number, tables) in all.enumerated() {
                last[number] = firstToken(of: number, context: context, tables)
            }
            filledBlocks = 0
        } else {
            fill(blocks: next)
        }
        let vocabularySize = loaded.loadedModel.config.vocabularySize
        var logits = UnsafeBufferPointer<Float>(start: nil, count: 0)
        var bytes: [Int] = []
        let seconds = median(limit: Self.maximumSteps) { step in
            var batch = ForwardBatch()
            for (row, tables) in all.enumerated() {
                batch.tokens.append(last[row])
                batch.sequences.append(sequence(rows: row..<row + 1, start: context + step, tables))
                batch.logitRows.append(row)
            }
            logits = loaded.transformer.forward(batch)
            bytes.append(loaded.transformer.traffic.bytes)
        } between: {
            for row in 0..<sequences {
                last[row] = Self.likeliest(logits.extracting(row * vocabularySize..<(row + 1) * vocabularySize))
            }
        }
        return Step(seconds: seconds, bytes: Double(bytes.sorted()[bytes.count / 2]))
    }

    /// Computes the prompt of sequence `number`, and returns the token that follows it.
    private func firstToken(
        of number: Int, context: Int, _ tables: (global: BlockTable, sliding: BlockTable)
    ) -> Int32 {
        var next: Int32 = 0
        for start in stride(from: 0, to: context, by: loaded.limits.maxBatchedTokens) {
            let count = min(loaded.limits.maxBatchedTokens, context - start)
            var batch = ForwardBatch()
            batch.tokens = (start..<start + count).map { token($0 + number * 7919) }
            batch.sequences = [sequence(rows: 0..<count, start: start, tables)]
            batch.logitRows = [count - 1]
            next = Self.likeliest(loaded.transformer.forward(batch))
        }
        return next
    }

    private static func likeliest(_ logits: UnsafeBufferPointer<Float>) -> Int32 {
        Int32(logits.largest().flatMap { logits.firstIndex(of: $0) } ?? 0)
    }

    /// Returns the median duration of `body` in seconds. `body` is called at most `limit` times; the time of `between` is not
    /// counted.
    private func median(limit: Int, _ body: (Int) -> Void, between: () -> Void = {}) -> Double {
        let start = clock.now
        var times: [Double] = []
        while times.count < limit {
            let begin = clock.now
            body(times.count)
            times.append((clock.now - begin) / .seconds(1))
            between()
            let elapsed = clock.now - start
            if isQuick || elapsed > Self.longestTime || times.count >= 3 && elapsed > Self.measuredTime { break }
        }
        // The first call accesses new memory, so it is slower.
        if times.count > 2 { times.removeFirst() }
        return times.sorted()[times.count / 2]
    }

    /// Returns a token id; the ids are spread over the vocabulary, so that tokens are routed to different experts.
    private func token(_ index: Int) -> Int32 {
        Int32((index &* 2_654_435_761 &+ 97) % loaded.loadedModel.config.vocabularySize)
    }

    private func sequence(
        rows: Range<Int>, start: Int, _ tables: (global: BlockTable, sliding: BlockTable)
    ) -> ForwardBatch.Sequence {
        ForwardBatch.Sequence(rows: rows, start: start, globalTable: tables.global, slidingTable: tables.sliding)
    }

    /// Returns the block tables for `tokens` tokens, without the blocks that a query at `firstQuery` does not attend to.
    private func tables(
        tokens: Int, firstQuery: Int, firstBlock: Int
    ) -> (tables: (global: BlockTable, sliding: BlockTable), end: Int) {
        let logicalBlocks = geometry.logicalBlocks(tokens: tokens)
        let hidden = geometry.firstSlidingLogicalBlock(forQueryAt: firstQuery) * geometry.slidingBlocksPerLogicalBlock
        let globalEnd = firstBlock + logicalBlocks * geometry.globalBlocksPerLogicalBlock
        let end = globalEnd + logicalBlocks * geometry.slidingBlocksPerLogicalBlock - hidden
        let global = (firstBlock..<globalEnd).map(Int32.init)
        let sliding = [Int32](repeating: BlockTable.nullBlock, count: hidden) + (globalEnd..<end).map(Int32.init)
        return (
            (
                BlockTable(blocksPerLogicalBlock: geometry.globalBlocksPerLogicalBlock, blocks: global),
                BlockTable(blocksPerLogicalBlock: geometry.slidingBlocksPerLogicalBlock, blocks: sliding)
            ), end
        )
    }

    /// Writes to the first `blocks` blocks, because all memory that was never written is one shared zero page.
    private mutating func fill(blocks: Int) {
        guard blocks > filledBlocks else { return }
        let bytes = loaded.storage.layout.bytesPerBlock
        // A small number in every data type: 0.0115 in float32 and bfloat16.
        (loaded.storage.base + filledBlocks * bytes).initializeMemory(
            as: UInt8.self, repeating: 0x3C, count: (blocks - filledBlocks) * bytes)
        filledBlocks = blocks
    }
}
