/// A buffer of bytes that arrive at the end and are taken from the front.
///
/// Indices count from the first unread byte, so a parser does not depend on the number of consumed bytes.
package struct ByteBuffer {
    private var storage: [UInt8] = []
    private var head = 0

    package init() {}

    /// The number of unread bytes.
    package var count: Int { storage.count - head }

    var isEmpty: Bool { storage.count == head }

    subscript(index: Int) -> UInt8 { storage[head + index] }

    /// The unread bytes in `range`, as a slice of the storage (not a copy).
    subscript(range: Range<Int>) -> ArraySlice<UInt8> { storage[head + range.lowerBound..<head + range.upperBound] }

    /// Appends bytes. An array appended to an empty buffer becomes its storage without a copy.
    mutating func append(_ bytes: consuming [UInt8]) {
        if isEmpty {
            storage = bytes
            head = 0
        } else {
            append(bytes[...])
        }
    }

    package mutating func append(_ bytes: ArraySlice<UInt8>) {
        compactIfWorthwhile()
        storage.append(contentsOf: bytes)
    }

    /// Removes `count` bytes from the front. An empty buffer frees its memory, so that idle connections use none.
    mutating func consume(_ count: Int) {
        precondition(count <= self.count, "more bytes consumed than are in the buffer")
        head += count
        if head == storage.count { removeAll() }
    }

    mutating func removeAll() {
        storage = []
        head = 0
    }

    /// Runs `body` over the unread bytes.
    func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        storage.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[head...])) }
    }

    /// Moves the unread bytes to the front once at least half of the storage has been read. Amortized O(1) per byte.
    private mutating func compactIfWorthwhile() {
        guard head > 0, head >= storage.count / 2 else { return }
        storage.removeFirst(head)
        head = 0
    }
}
