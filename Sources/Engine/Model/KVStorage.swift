import Foundation

/// The memory of the KV cache blocks. It is allocated once, and the system provides pages only where they are used.
package final class KVStorage {
    package let layout: KVCacheLayout
    let totalBlocks: Int
    package let base: UnsafeMutableRawPointer
    private let bytes: Int
    /// The system's error number if it refused to spread the pages over nodes, otherwise 0.
    let placementError: Int32

    /// - Parameter nodes: Linux's numbers of the NUMA nodes over which pages are spread, because any thread may read any block.
    /// - Throws: `EngineError.allocation` if the system refuses to allocate the memory.
    init(layout: KVCacheLayout, totalBlocks: Int, nodes: [Int] = []) throws(EngineError) {
        self.layout = layout
        self.totalBlocks = totalBlocks
        bytes = max(totalBlocks * layout.bytesPerBlock, 1)
        let memory = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let memory, memory != MAP_FAILED else {
            throw .allocation(bytes: bytes, reason: String(cString: strerror(errno)))
        }
        base = memory
        placementError = nodes.count > 1 ? MemoryPolicy.interleaved(nodes).set(memory, bytes: bytes) : 0
    }

    deinit {
        munmap(base, bytes)
    }
}
