import Scheduling

/// The rows of one step: for each sequence a run of consecutive tokens, prefill or decode alike.
public struct ForwardBatch {
    /// A sequence's part of the step.
    public struct Sequence {
        /// Rows of the batch, in order of position.
        public var rows: Range<Int>
        /// Absolute position of the first row: the tokens before it are in the cache.
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

    /// Token ids, one per row.
    public var tokens: [Int32] = []
    public var sequences: [Sequence] = []
    /// Rows that need logits, ascending.
    public var logitRows: [Int] = []
    /// Rows whose state after the last layer is used, ascending: those of `logitRows` and others. Only these come back to the
    /// first rank of several.
    public var finalRows: [Int] = []

    public init() {}
}
