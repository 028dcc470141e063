import Scheduling

/// The rows of one step: a run of consecutive tokens of each sequence, whether it prefills or decodes.
public struct ForwardBatch {
    /// A sequence's part of the step.
    public struct Sequence {
        /// The rows of the batch, in order of position.
        public var rows: Range<Int>
        /// The absolute position of the first row. The tokens before it are in the cache.
        public var start: Int
        public var globalTable: BlockTable
        public var slidingTable: BlockTable

        public init(rows: Range<Int>, start: Int, globalTable: BlockTable, slidingTable: BlockTable) {
            self.rows = rows
            self.start = start
            self.globalTable = globalTable
            self.slidingTable = slidingTable
        }
    }

    /// The token ids, one per row.
    public var tokens: [Int32] = []
    public var sequences: [Sequence] = []
    /// The rows that need logits, in ascending order.
    public var logitRows: [Int] = []
    /// The rows whose state after the last layer is used, in ascending order: those of `logitRows` and others. With several ranks,
    /// only these are returned to the first rank.
    public var finalRows: [Int] = []

    public init() {}
}
