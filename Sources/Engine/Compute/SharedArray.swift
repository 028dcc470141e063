/// A fixed-size array of values that threads change together. Each element is, or consists of, atomics.
struct SharedArray<Element: ~Copyable & Sendable>: ~Copyable, Sendable {
    let count: Int
    /// The address as an integer, so that the array can be Sendable.
    private let address: UInt

    init(count: Int, _ element: () -> Element) {
        let base = UnsafeMutablePointer<Element>.allocate(capacity: count)
        for index in 0..<count { (base + index).initialize(to: element()) }
        self.count = count
        address = UInt(bitPattern: base)
    }

    deinit {
        base.deinitialize(count: count)
        base.deallocate()
    }

    subscript(index: Int) -> Element {
        _read { yield base[index] }
    }

    private var base: UnsafeMutablePointer<Element> {
        guard let base = UnsafeMutablePointer<Element>(bitPattern: address) else {
            preconditionFailure("memory that was allocated has an address")
        }
        return base
    }
}
