import CMalloc
import Foundation

/// Configures the C library's allocator for a process that serves requests of very different sizes.
enum MemoryAllocator {
    /// Allocations of at least this size are mapped separately, so that freeing them returns the memory to the system.
    private static let leastMappedBytes: Int32 = 1 << 20

    /// Makes the resident memory of the process follow the memory in use.
    ///
    /// By default, glibc raises the threshold for mapping up to 32 MB as large blocks are freed, and uses eight heaps for each
    /// CPU, each of which keeps its maximum size: after some large requests half of the resident memory is unused. See
    /// mallopt(3).
    static func configure() {
        mallopt(M_MMAP_THRESHOLD, leastMappedBytes)
        mallopt(M_TRIM_THRESHOLD, leastMappedBytes)
        mallopt(M_ARENA_MAX, Int32(max(2, ProcessInfo.processInfo.activeProcessorCount)))
    }

    /// Returns the free pages of the heaps to the system. By itself, glibc returns only what is free at the end of a heap.
    static func trim() {
        _ = malloc_trim(0)
    }
}
