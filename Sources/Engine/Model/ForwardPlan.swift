import Checkpoints
import Scheduling

/// A batch in the form that the layers use, with the position and block tables of every row.
struct ForwardPlan {
    let rows: Int
    /// The absolute position of each row's token.
    private(set) var positions: [Int] = []
    /// The start of each row's table in `tables`.
    private var globalStarts: [Int] = []
    private var slidingStarts: [Int] = []
    /// The positions of each sequence's rows.
    private(set) var spans: [Range<Int>] = []
    /// The block numbers of all sequences, with the tables concatenated.
    private let tables: Buffer<Int32>

    /// - Precondition: The batch covers its rows once and in order, and every block that a row reads or writes is allocated.
    init(_ batch: ForwardBatch, config: ModelConfig, storage: KVStorage) {
        rows = batch.tokens.count
        var numbers: [Int32] = []
        for sequence in batch.sequences {
            precondition(sequence.rows.lowerBound == positions.count, "sequences cover the rows in order")
            let end = sequence.start + sequence.rows.count
            let layout = storage.layout
            let firstVisible = max(sequence.start - config.slidingWindow + 1, 0)
            Self.check(sequence.globalTable, layout.globalBlocksPerLogicalBlock, 0..<end, storage)
            Self.check(sequence.slidingTable, layout.slidingBlocksPerLogicalBlock, firstVisible..<end, storage)
            spans.append(sequence.start..<end)
            let globalStart = numbers.count
            numbers += sequence.globalTable.blocks
            let slidingStart = numbers.count
            numbers += sequence.slidingTable.blocks
            for position in sequence.start..<end {
                positions.append(position)
                globalStarts.append(globalStart)
                slidingStarts.append(slidingStart)
            }
        }
        precondition(positions.count == rows, "every row belongs to a sequence")
        tables = Buffer(numbers)
    }

    /// Returns the table of a row. The block of part p of logical block s is at `s * blocksPerLogicalBlock + p`.
    func table(row: Int, type: ModelConfig.LayerType) -> UnsafePointer<Int32> {
        UnsafePointer(tables.base + (type == .full ? globalStarts[row] : slidingStarts[row]))
    }

    private static func check(
        _ table: BlockTable, _ blocksPerLogicalBlock: Int, _ positions: Range<Int>, _ storage: KVStorage
    ) {
        guard blocksPerLogicalBlock > 0 else { return }
        precondition(table.blocksPerLogicalBlock == blocksPerLogicalBlock, "a table is of its group")
        let first = positions.lowerBound / KVCacheLayout.blockSize
        let end = (positions.upperBound + KVCacheLayout.blockSize - 1) / KVCacheLayout.blockSize
        precondition(table.blocks.count >= end * blocksPerLogicalBlock, "every token of the step has a logical block")
        for block in table.blocks[first * blocksPerLogicalBlock..<end * blocksPerLogicalBlock] {
            precondition((0..<Int32(storage.totalBlocks)).contains(block), "a visible logical block has its blocks")
        }
    }
}
