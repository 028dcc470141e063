/// One word of a ``JSONDocument``, for one value or name of its text.
struct JSONNode {
    enum Kind: UInt8 {
        case null, `false`, `true`
        case number
        /// A string, or a member's name. `value`: the offset of its opening quote; `extra`: the number of bytes between its quotes.
        case string
        /// A string or a name with escapes. `value` and `extra`: the same.
        case escapedString
        /// A name, with or without escapes, of a member whose name occurs again later in the same object. The later member
        /// counts.
        case shadowedName
        /// An array. `value`: the node after the last of its elements; `extra`: the number of elements.
        case array
        /// An object, the same for members. Each has a node for the name, then the value.
        case object
        /// An object whose last node is a `nameTable`.
        case indexedObject
        /// The hash table of an object's names. `value`: the index of its first slot in the document's slots; `extra`: the
        /// number of bits of a hash that select a slot.
        case nameTable
    }

    /// The maximum of `extra`. A longer string is measured when it is read, and no array or object has as many elements.
    static let mostExtra = 1 << 24 - 1

    /// Kind, `extra` and `value` in 8, 24 and 32 bits.
    private var word: UInt64

    init(_ kind: Kind, extra: Int = 0, value: Int) {
        word = UInt64(kind.rawValue) << 56 | UInt64(min(extra, Self.mostExtra)) << 32 | UInt64(UInt32(value))
    }

    var kind: Kind {
        guard let kind = Kind(rawValue: UInt8(word >> 56)) else { preconditionFailure("a node has a kind") }
        return kind
    }

    /// The number that the kind describes, at most ``mostExtra``.
    var extra: Int { Int(word >> 32 & 0xFF_FFFF) }
    var value: Int { Int(word & 0xFFFF_FFFF) }

    /// Whether this string can have `bytes` bytes. This excludes most names without resolving their escapes, which encode a byte
    /// in up to six.
    @inline(__always) func mayHave(bytes: Int) -> Bool {
        switch (kind, extra) {
        case (_, Self.mostExtra): bytes >= Self.mostExtra / 6
        case (.string, _): bytes == extra
        default: bytes <= extra && extra <= 6 * bytes
        }
    }

    /// Returns the node after this value, which is at `node`.
    @inline(__always) func end(at node: Int) -> Int {
        switch kind {
        case .array, .object, .indexedObject: value
        default: node + 1
        }
    }
}
