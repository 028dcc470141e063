import Scheduling

/// A step that is sent to the next rank. It contains the positions of the rows in the cache, and the rows themselves after the
/// layers so far. It contains no token ids, which never leave rank 0.
///
///     header (8), number u64, stages u32, rows u32, sequences u32, final rows u32
///     for each stage so far: compute u64, wait u64
///     for each sequence: rows u32, start u32
///     for each sequence: blocks i32 of the global group, then of the sliding group from the first that its rows attend to
///     final rows u32, ascending
///     residual stream f32, (rows, hiddenSize)
///
/// The message describes its step completely, so ranks keep no state of sequences.
package struct StepMessage {
    /// The number of the step. Steps are numbered in order of their start.
    package var number: UInt64
    /// The batch. Its tokens are 0, and it requests no logits.
    package var batch: ForwardBatch
    /// The times of the stages so far.
    package var times: [StageTime]
    private let bytes: [UInt8]
    /// The offset of the rows in `bytes`.
    private let rowsOffset: Int

    /// Reads a message from `rank`.
    ///
    /// - Throws: `RankMessageError` if the message violates a bound. Otherwise the batch meets all preconditions of the model.
    package init(_ bytes: [UInt8], from rank: Int, _ bounds: StepBounds) throws(RankMessageError) {
        var reader = RankReader(bytes)
        guard try RankMessage.read(&reader) == .step else { throw RankMessageError(reason: "is not a step") }
        number = try reader.integer()
        let stages = try reader.count(in: rank + 1...rank + 1, "the number of stages")
        let rows = try reader.count(in: 1...bounds.rows, "the number of rows")
        let sequences = try reader.count(in: 1...min(bounds.sequences, rows), "the number of sequences")
        let finals = try reader.count(in: 0...rows, "the number of final rows")
        times = try reader.times(stages)
        batch = ForwardBatch()
        batch.tokens = [Int32](repeating: 0, count: rows)
        var spans: [Range<Int>] = []
        for _ in 0..<sequences {
            let first = batch.sequences.last?.rows.upperBound ?? 0
            let count = try reader.count(in: 1...max(rows - first, 1), "a sequence's number of rows")
            guard first + count <= rows else { throw RankMessageError(reason: "has sequences with too many rows") }
            let start = try reader.count(in: 0...max(bounds.length - count, 0), "a sequence's start")
            spans.append(start..<start + count)
            batch.sequences.append(
                ForwardBatch.Sequence(
                    rows: first..<first + count, start: start,
                    globalTable: BlockTable(blocksPerLogicalBlock: bounds.geometry.globalBlocksPerLogicalBlock),
                    slidingTable: BlockTable(blocksPerLogicalBlock: bounds.geometry.slidingBlocksPerLogicalBlock)))
        }
        guard batch.sequences.last?.rows.upperBound == rows else {
            throw RankMessageError(reason: "has rows of no sequence")
        }
        for (index, span) in spans.enumerated() {
            let visible = bounds.logicalBlocks(start: span.lowerBound, end: span.upperBound)
            try batch.sequences[index].globalTable.read(visible.global, &reader, bounds)
            try batch.sequences[index].slidingTable.read(visible.sliding, &reader, bounds)
        }
        for _ in 0..<finals {
            let least = (batch.finalRows.last ?? -1) + 1
            guard least < rows else { throw RankMessageError(reason: "has too many final rows") }
            batch.finalRows.append(try reader.count(in: least...rows - 1, "a final row"))
        }
        rowsOffset = reader.offset
        guard reader.left == rows * bounds.hiddenSize * 4 else {
            throw RankMessageError(
                reason: "has \(reader.left) bytes of rows, not \(rows) * \(bounds.hiddenSize) * 4")
        }
        self.bytes = bytes
    }

    /// Calls `body` with the residual stream, (rows, hiddenSize) in float32.
    package func withRows<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        bytes.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[rowsOffset...])) }
    }

    /// Returns the message of a batch.
    ///
    /// - Parameters:
    ///   - times: The times of the stages so far, the sender's last.
    ///   - rows: The residual stream, (rows, hiddenSize), little-endian as in memory.
    package static func bytes(
        number: UInt64, _ batch: ForwardBatch, times: [StageTime], rows: UnsafeBufferPointer<Float>,
        _ bounds: StepBounds
    ) -> [UInt8] {
        var writer = RankMessage.step.writer
        writer.add(number)
        for count in [times.count, batch.tokens.count, batch.sequences.count, batch.finalRows.count] {
            writer.add(UInt32(count))
        }
        writer.add(times)
        for sequence in batch.sequences {
            writer.add(UInt32(sequence.rows.count))
            writer.add(UInt32(sequence.start))
        }
        for sequence in batch.sequences {
            let visible = bounds.logicalBlocks(start: sequence.start, end: sequence.start + sequence.rows.count)
            writer.add(sequence.globalTable, visible.global)
            writer.add(sequence.slidingTable, visible.sliding)
        }
        for row in batch.finalRows { writer.add(UInt32(row)) }
        writer.add(UnsafeRawBufferPointer(rows))
        return writer.bytes
    }
}

extension RankWriter {
    /// Appends the blocks of logical blocks.
    fileprivate mutating func add(_ table: BlockTable, _ logicalBlocks: Range<Int>) {
        let count = table.blocksPerLogicalBlock
        let blocks = table.blocks[logicalBlocks.lowerBound * count..<logicalBlocks.upperBound * count]
        blocks.withUnsafeBytes { add($0) }
    }
}

extension BlockTable {
    /// Reads the blocks of logical blocks. All earlier blocks become null blocks.
    fileprivate mutating func read(
        _ logicalBlocks: Range<Int>, _ reader: inout RankReader, _ bounds: StepBounds
    ) throws(RankMessageError) {
        let count = logicalBlocks.count * blocksPerLogicalBlock
        guard reader.left >= count * 4 else { throw RankMessageError(reason: "ends in block numbers") }
        blocks = [Int32](repeating: Self.nullBlock, count: logicalBlocks.lowerBound * blocksPerLogicalBlock)
        for _ in 0..<count {
            blocks.append(Int32(try reader.count(in: 0...bounds.geometry.totalBlocks - 1, "a block number")))
        }
    }
}
