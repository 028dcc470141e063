import Foundation
import Testing

@testable import Server

struct MemoryAllocatorTests {
    @Test func `the pages of free blocks between used ones return to the system`() throws {
        // Every block has whole pages.
        let (count, bytes) = (2048, max(1 << 15, 4 * Int(getpagesize())))
        let blocks = (0..<count).map { _ in
            let block = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 16)
            memset(block, 1, bytes)
            return block
        }
        // Every other block stays in use, so the heap cannot shrink.
        defer { for index in stride(from: 0, to: count, by: 2) { blocks[index].deallocate() } }
        let free = stride(from: 1, to: count, by: 2).map { blocks[$0] }
        try #require(free.allSatisfy(isResident))
        for block in free { block.deallocate() }
        MemoryAllocator.trim()
        // Other tests may use some of these blocks already.
        #expect(free.count(where: isResident) < free.count / 4)
    }

    /// Whether the page in the middle of a block is in memory.
    private func isResident(_ block: UnsafeMutableRawPointer) -> Bool {
        let page = Int(getpagesize())
        let middle = UnsafeMutableRawPointer(bitPattern: (Int(bitPattern: block) + 2 * page) / page * page)
        var state: UInt8 = 0
        return mincore(middle, page, &state) == 0 && state & 1 == 1
    }
}
