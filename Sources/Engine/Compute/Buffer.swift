import Foundation

/// A block of memory of a fixed size that kernels read and write, without copy-on-write and bounds checks. It is initially zero.
package final class Buffer<Element: BitwiseCopyable> {
    package let base: UnsafeMutablePointer<Element>
    package let count: Int
    /// The memory of a large buffer, or `nil` for a small one.
    private let mapping: HugePageMapping?

    /// - Parameter count: The number of elements. The memory is aligned to 64 bytes.
    package init(count: Int) {
        self.count = count
        let bytes = max(count * MemoryLayout<Element>.stride, 64)
        mapping = bytes >= HugePageMapping.pageBytes ? HugePageMapping(bytes: bytes) : nil
        let raw = mapping?.base ?? .allocate(byteCount: bytes, alignment: 64)
        // Every page becomes resident now, and not in the first step that needs it. A Swift loop would be slow in debug builds.
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
