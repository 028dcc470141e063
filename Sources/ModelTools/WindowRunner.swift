import Engine
import Logging
import Scheduling

/// Computes windows of a text with one model, each with an empty cache.
struct WindowRunner {
    private let loaded: EngineLoader.Loaded

    /// Loads the model.
    init(_ options: EngineOptions) throws {
        let logger = Logger(label: "evaluate") { _ in SwiftLogNoOpLogHandler() }
        loaded = try EngineLoader(options: options, logger: logger, progress: { _ in }).load()
    }

    var vocabularySize: Int { loaded.loadedModel.config.vocabularySize }

    /// The number of positions that the model was made for.
    var maxPositions: Int { loaded.loadedModel.config.maxPositions }

    /// Returns whether a window of this many tokens fits into the model and its cache.
    func fits(tokens: Int) -> Bool {
        let geometry = loaded.loadedModel.geometry
        return tokens <= loaded.loadedModel.maxModelLength
            && geometry.logicalBlocks(tokens: tokens) * geometry.blocksPerLogicalBlock <= geometry.totalBlocks
    }

    /// Returns a score for each token but the first, in order.
    ///
    /// - Parameters:
    ///   - window: tokens below the vocabulary size, for which ``fits(tokens:)`` is true in both models.
    ///   - reference: a model with the same vocabulary size and the same step size.
    /// - Throws: `ToolError.checkpoint` if a logit is not finite.
    func scores(of window: [Int32], against reference: WindowRunner) throws(ToolError) -> [TokenScore] {
        var scores: [TokenScore] = []
        let (step, rowsAtOnce) = (loaded.limits.maxBatchedTokens, loaded.transformer.maxLogitRows)
        for start in stride(from: 0, to: window.count - 1, by: step) {
            let tokens = Array(window[start..<min(start + step, window.count - 1)])
            for runner in [self, reference] { runner.compute(tokens, start: start, of: window.count) }
            for first in stride(from: 0, to: tokens.count, by: rowsAtOnce) {
                let rows = Array(first..<min(first + rowsAtOnce, tokens.count))
                let (own, other) = (loaded.transformer.logits(of: rows), reference.loaded.transformer.logits(of: rows))
                let targets = rows.map { Int(window[start + $0 + 1]) }
                for score in score(targets, own, other) {
                    guard let score else { throw .checkpoint("a logit is not finite") }
                    scores.append(score)
                }
            }
        }
        return scores
    }

    /// Computes the keys and values of tokens at `start` in a window of `count` tokens.
    private func compute(_ tokens: [Int32], start: Int, of count: Int) {
        let tables = loaded.loadedModel.geometry.tables(tokens: count)
        var batch = ForwardBatch()
        batch.tokens = tokens
        batch.sequences = [
            ForwardBatch.Sequence(
                rows: 0..<tokens.count, start: start, globalTable: tables.global, slidingTable: tables.sliding)
        ]
        _ = loaded.transformer.forward(batch)
    }

    /// Returns the scores of rows of logits, computed on all threads.
    private func score(
        _ targets: [Int], _ own: UnsafeBufferPointer<Float>, _ other: UnsafeBufferPointer<Float>
    ) -> [TokenScore?] {
        let size = vocabularySize
        var scores = [TokenScore?](repeating: nil, count: targets.count)
        scores.withUnsafeMutableBufferPointer { scores in
            loaded.pool.parallelFor(chunks: targets.count) { row in
                let part = row * size..<(row + 1) * size
                scores[row] = TokenScore(
                    target: targets[row], logits: own.extracting(part), reference: other.extracting(part))
            }
        }
        return scores
    }
}

extension KVCacheGeometry {
    /// Returns tables of one sequence that use the first blocks of the pool.
    fileprivate func tables(tokens: Int) -> (global: BlockTable, sliding: BlockTable) {
        let count = logicalBlocks(tokens: tokens)
        let (globals, slidings) = (count * globalBlocksPerLogicalBlock, count * slidingBlocksPerLogicalBlock)
        return (
            BlockTable(
                blocksPerLogicalBlock: globalBlocksPerLogicalBlock, blocks: (0..<globals).map(Int32.init)),
            BlockTable(
                blocksPerLogicalBlock: slidingBlocksPerLogicalBlock,
                blocks: (globals..<globals + slidings).map(Int32.init))
        )
    }
}
