/// A value in the metadata of a GGUF file. Strings and arrays are views of the file's bytes.
public enum GGUFValue {
    /// An integer of any width. A value outside the range of `Int` becomes the nearest `Int`, which is outside the bounds of
    /// every member.
    case integer(Int)
    case number(Double)
    case bool(Bool)
    /// A string; its bytes should be UTF-8.
    case string(UnsafeRawBufferPointer)
    case array(GGUFArray)

    /// The value of a string; `nil` for other kinds, and for bytes that are not UTF-8.
    var text: String? {
        guard case .string(let bytes) = self else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }

    var integer: Int? {
        if case .integer(let value) = self { value } else { nil }
    }

    var bool: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    var array: GGUFArray? {
        if case .array(let array) = self { array } else { nil }
    }
}

/// The kinds of metadata values; the raw values are those in the file.
public enum GGUFValueKind: UInt32, Sendable {
    case uint8, int8, uint16, int16, uint32, int32, float32, bool, string, array, uint64, int64, float64

    /// The minimum size of a value in bytes.
    var leastBytes: Int {
        switch self {
        case .uint8, .int8, .bool: 1
        case .uint16, .int16: 2
        case .uint32, .int32, .float32: 4
        case .uint64, .int64, .float64, .string: 8
        case .array: 12
        }
    }
}

/// An array in the metadata. Its elements are read from the file's bytes on demand.
public struct GGUFArray: Sequence {
    /// The kind of all elements; never `array`.
    public let kind: GGUFValueKind
    public let count: Int
    /// The bytes of all elements, checked to be complete.
    let bytes: UnsafeRawBufferPointer

    public func makeIterator() -> Iterator {
        Iterator(kind: kind, left: count, reader: GGUFReader(bytes))
    }

    public struct Iterator: IteratorProtocol {
        let kind: GGUFValueKind
        var left: Int
        var reader: GGUFReader

        public mutating func next() -> GGUFValue? {
            guard left > 0 else { return nil }
            left -= 1
            return try? reader.value(kind)
        }
    }
}
