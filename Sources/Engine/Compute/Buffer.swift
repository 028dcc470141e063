import Foundation

/// Memory of a fixed size, without copy-on-write and bounds checks, for kernels to read and write. Initially zero.
package final class Buffer<Element: BitwiseCopyable> {
    package let base: UnsafeMutablePointer<Element>
    package let count: Int
    /// The memory of a large buffer.
    private let mapping: HugePageMapping?

    /// - Parameter count: elements; the memory begins at a multiple of 64 bytes
    package init(count: Int) {
        self.count = count
        let bytes = max(count * MemoryLayout<Element>.stride, 64)
        mapping = bytes >= HugePageMapping.pageBytes ? HugePageMapping(bytes: bytes) : nil
        let raw = mapping?.base ?? .allocate(byteCount: bytes, alignment: 64)
        // Every page becomes resident now, not in the first step that needs it. A loop of Swift is slow in debug builds.
        memset(raw, 0, bytes)
        base = raw.bindMemory(to: Element.self, capacity: count)
    }

    package convenience init(_ elements: [Element]) {
        self.init(count: elements.count)
        elements.withUnsafeBufferPointer { source in
            if let start = source.baseAddress { base.update(from: start, count: count) }
        }
    }

    deinit {
        if mapping == nil { base.deallocate() }
    }

    var bytes: Int { count * MemoryLayout<Element>.stride }
    package var contents: UnsafeBufferPointer<Element> { UnsafeBufferPointer(start: base, count: count) }
}
