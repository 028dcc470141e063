import Foundation

/// A buffer aligned for vector loads; it is unmapped when this object is deallocated.
///
/// Mapped instead of allocated on the heap: the buffers are freed soon, between packed matrices that stay, and would leave
/// holes in the heap.
package final class OwnedBytes {
    package let bytes: UnsafeMutableRawBufferPointer

    package init(count: Int) {
        // The system refuses an empty mapping.
        let mapped = max(count, 1)
        let memory = mmap(nil, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let memory, memory != MAP_FAILED else {
            preconditionFailure("the system gives \(count) bytes, as the heap has to")
        }
        bytes = UnsafeMutableRawBufferPointer(start: memory, count: count)
    }

    deinit {
        if let address = bytes.baseAddress { munmap(address, max(bytes.count, 1)) }
    }
}
