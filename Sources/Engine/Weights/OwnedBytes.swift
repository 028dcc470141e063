/// Bytes on the heap, aligned for vector loads, freed with this object.
final class OwnedBytes {
    static let alignment = 64

    let bytes: UnsafeMutableRawBufferPointer

    init(count: Int) {
        bytes = .allocate(byteCount: count, alignment: Self.alignment)
    }

    deinit {
        bytes.deallocate()
    }
}
