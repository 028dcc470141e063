import CMalloc
import Foundation

/// The allocator of the C library, set for a process that serves requests of very different sizes.
enum MemoryAllocator {
    /// From this size on, memory is mapped for itself, so that the system gets it back when it is freed.
    private static let leastMappedBytes: Int32 = 1 << 20

    /// Lets the resident memory of the process follow what is in use.
    ///
    /// glibc raises the least size of a mapping up to 32 MB as large blocks are freed, and has eight heaps for each CPU, each
    /// of which keeps what was once its largest size: after some large requests half of the resident memory is in use by nobody.
    /// See mallopt(3).
    static func configure() {
        mallopt(M_MMAP_THRESHOLD, leastMappedBytes)
        mallopt(M_TRIM_THRESHOLD, leastMappedBytes)
        mallopt(M_ARENA_MAX, Int32(max(2, ProcessInfo.processInfo.activeProcessorCount)))
    }
}
