import Foundation

/// A buffer that is aligned for vector loads and unmapped when this object is deallocated.
///
/// It is mapped, not allocated on the heap, because these buffers are freed soon while the packed matrices around them stay,
/// which would leave holes in the heap.
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
