/// The blocks that hold one sequence's keys and values in one group of layers: `blocksPerLogicalBlock` block numbers per logical
/// block.
///
/// Logical block s holds tokens `s * blockSize ..< (s + 1) * blockSize`. Its part p (see ``KVCacheGeometry``) is in block `blocks[s
/// * blocksPerLogicalBlock + p]`.
public struct BlockTable: Sendable, Equatable {
    /// The placeholder for a block outside the window. It is never read or written.
    public static let nullBlock: Int32 = -1

    public let blocksPerLogicalBlock: Int
    public var blocks: [Int32]

    public init(blocksPerLogicalBlock: Int, blocks: [Int32] = []) {
        self.blocksPerLogicalBlock = blocksPerLogicalBlock
        self.blocks = blocks
    }
}

extension BlockTable {
    /// Returns the block of part `part` of logical block `logicalBlock`, or ``nullBlock`` if the logical block is outside the
    /// window.
    public func block(logicalBlock: Int, part: Int) -> Int32 {
        blocks[logicalBlock * blocksPerLogicalBlock + part]
    }

    /// Returns the blocks of logical block `logicalBlock`, (blocksPerLogicalBlock).
    func blocks(ofLogicalBlock logicalBlock: Int) -> [Int32] {
        Array(blocks[logicalBlock * blocksPerLogicalBlock..<(logicalBlock + 1) * blocksPerLogicalBlock])
    }

    /// Replaces a logical block with null blocks and returns the blocks it had.
    mutating func removeLogicalBlock(_ logicalBlock: Int) -> [Int32] {
        defer { clear(logicalBlock) }
        return blocks(ofLogicalBlock: logicalBlock)
    }

    /// Replaces a logical block with null blocks.
    mutating func clear(_ logicalBlock: Int) {
        for part in 0..<blocksPerLogicalBlock { blocks[logicalBlock * blocksPerLogicalBlock + part] = Self.nullBlock }
    }
}
