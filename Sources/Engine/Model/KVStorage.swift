import Foundation

/// The memory of the blocks: allocated once; the system provides pages only where they are used.
package final class KVStorage {
    package let layout: KVCacheLayout
    let totalBlocks: Int
    package let base: UnsafeMutableRawPointer
    private let bytes: Int

    /// - Throws: `EngineError.allocation` if the system does not provide the memory.
    init(layout: KVCacheLayout, totalBlocks: Int) throws(EngineError) {
        self.layout = layout
        self.totalBlocks = totalBlocks
        bytes = max(totalBlocks * layout.bytesPerBlock, 1)
        let memory = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let memory, memory != MAP_FAILED else {
            throw .allocation(bytes: bytes, reason: String(cString: strerror(errno)))
        }
        base = memory
    }

    deinit {
        munmap(base, bytes)
    }
}
