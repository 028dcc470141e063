import Checkpoints
import Scheduling

/// The bounds of messages about a step, which are the same on all ranks.
package struct StepBounds: Equatable {
    /// The number of rows of the largest step.
    var rows: Int
    /// The maximum number of sequences of a step.
    var sequences: Int
    /// The maximum number of tokens of a sequence.
    var length: Int
    /// The number of elements of a row.
    var hiddenSize: Int
    /// The geometry of the whole model, because block numbers are the same on all ranks.
    package var geometry: KVCacheGeometry

    package init(rows: Int, sequences: Int, length: Int, hiddenSize: Int, geometry: KVCacheGeometry) {
        self.rows = rows
        self.sequences = sequences
        self.length = length
        self.hiddenSize = hiddenSize
        self.geometry = geometry
    }

    init(_ options: EngineOptions, config: ModelConfig, geometry: KVCacheGeometry) {
        self.init(
            rows: options.maxBatchedTokens, sequences: min(options.maxSequences, options.maxBatchedTokens),
            length: options.maxModelLength ?? config.maxPositions, hiddenSize: config.hiddenSize, geometry: geometry)
    }

    /// Returns the maximum size of a ``StepMessage`` or ``StepReply`` in bytes.
    func bytes(ranks: Int) -> Int {
        let tables = sequences * geometry.logicalBlocks(tokens: length) * geometry.blocksPerLogicalBlock
        return 4 * (rows * (hiddenSize + 1) + tables + 2 * sequences) + 16 * ranks + 64
    }

    /// Returns the logical blocks that a sequence's rows attend to in each group.
    func logicalBlocks(start: Int, end: Int) -> (global: Range<Int>, sliding: Range<Int>) {
        let last = geometry.logicalBlocks(tokens: end)
        return (0..<last, geometry.firstSlidingLogicalBlock(forQueryAt: start)..<last)
    }
}

/// The times of a stage for one step.
package struct StageTime: Equatable {
    /// The time of its layers in nanoseconds.
    var compute: UInt64
    /// The time in nanoseconds that it waited for the step to arrive.
    var wait: UInt64
}

extension RankWriter {
    mutating func add(_ times: [StageTime]) {
        for time in times {
            add(time.compute)
            add(time.wait)
        }
    }
}

extension RankReader {
    mutating func times(_ count: Int) throws(RankMessageError) -> [StageTime] {
        var times: [StageTime] = []
        for _ in 0..<count { times.append(StageTime(compute: try integer(), wait: try integer())) }
        return times
    }
}
