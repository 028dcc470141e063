/// Where one sequence's keys and values of one group lie: logical block by logical block, `blocksPerLogicalBlock` block
/// numbers each.
///
/// Logical block s holds tokens `s * blockSize ..< (s + 1) * blockSize`; its part p (see ``KVCacheGeometry``) is in block
/// `blocks[s * blocksPerLogicalBlock + p]`.
public struct BlockTable: Sendable, Equatable {
    /// Stands for a block outside the window: never read, never written.
    public static let nullBlock: Int32 = -1

    public let blocksPerLogicalBlock: Int
    public var blocks: [Int32]

    public init(blocksPerLogicalBlock: Int, blocks: [Int32] = []) {
        self.blocksPerLogicalBlock = blocksPerLogicalBlock
        self.blocks = blocks
    }
}

extension BlockTable {
    /// The block of part `part` of logical block `logicalBlock`; ``nullBlock`` when the logical block lies outside the
    /// window.
    public func block(logicalBlock: Int, part: Int) -> Int32 {
        blocks[logicalBlock * blocksPerLogicalBlock + part]
    }

    /// The blocks of logical block `logicalBlock`, (blocksPerLogicalBlock).
    func blocks(ofLogicalBlock logicalBlock: Int) -> [Int32] {
        Array(blocks[logicalBlock * blocksPerLogicalBlock..<(logicalBlock + 1) * blocksPerLogicalBlock])
    }

    /// Puts null blocks in the place of a logical block; returns its blocks.
    mutating func removeLogicalBlock(_ logicalBlock: Int) -> [Int32] {
        defer { clear(logicalBlock) }
        return blocks(ofLogicalBlock: logicalBlock)
    }

    /// Puts null blocks in the place of a logical block.
    mutating func clear(_ logicalBlock: Int) {
        for part in 0..<blocksPerLogicalBlock { blocks[logicalBlock * blocksPerLogicalBlock + part] = Self.nullBlock }
    }
}
