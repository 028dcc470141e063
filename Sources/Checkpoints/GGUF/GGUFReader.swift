/// Reads the parts of a GGUF header in order, and never beyond the end of the bytes.
struct GGUFReader {
    /// The reason why the bytes are not a valid header.
    struct Failure: Error {
        var reason: String
    }

    /// What a header must not go beyond, for errors.
    static let end = "beyond the file, or the limit of \(GGUFHeader.mostBytes >> 20) MiB of a header"

    let bytes: UnsafeRawBufferPointer
    private(set) var position = 0

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    /// The number of bytes that have not been read yet.
    var left: Int { bytes.count - position }

    mutating func integer<Integer: FixedWidthInteger>(_ type: Integer.Type) throws(Failure) -> Integer {
        let size = MemoryLayout<Integer>.size
        guard left >= size else { throw Failure(reason: "too short: the header ends \(Self.end)") }
        defer { position += size }
        return Integer(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: Integer.self))
    }

    /// Reads the number of the elements that follow, which have at least `size` bytes each.
    mutating func count(ofSize size: Int) throws(Failure) -> Int {
        let count = try integer(UInt64.self)
        guard count <= UInt64(left / size) else { throw Failure(reason: "counts \(Self.end): \(count)") }
        return Int(count)
    }

    /// Reads a string: its length, then its bytes.
    mutating func string() throws(Failure) -> UnsafeRawBufferPointer {
        let length = try integer(UInt64.self)
        guard length <= UInt64(left) else { throw Failure(reason: "a string \(Self.end): \(length) bytes") }
        defer { position += Int(length) }
        return UnsafeRawBufferPointer(rebasing: bytes[position..<position + Int(length)])
    }

    /// Reads the name of a key or of a tensor.
    mutating func name(atMost limit: Int) throws(Failure) -> String {
        let content = try string()
        guard content.count <= limit, let name = String(validating: content, as: UTF8.self) else {
            throw Failure(reason: "a name is not UTF-8 of at most \(limit) bytes")
        }
        return name
    }

    mutating func valueKind() throws(Failure) -> GGUFValueKind {
        let number = try integer(UInt32.self)
        guard let kind = GGUFValueKind(rawValue: number) else {
            throw Failure(reason: "a value of the unknown kind \(number)")
        }
        return kind
    }

    mutating func value(_ kind: GGUFValueKind) throws(Failure) -> GGUFValue {
        switch kind {
        case .uint8: return .integer(Int(try integer(UInt8.self)))
        case .int8: return .integer(Int(try integer(Int8.self)))
        case .uint16: return .integer(Int(try integer(UInt16.self)))
        case .int16: return .integer(Int(try integer(Int16.self)))
        case .uint32: return .integer(Int(try integer(UInt32.self)))
        case .int32: return .integer(Int(try integer(Int32.self)))
        case .uint64: return .integer(Int(clamping: try integer(UInt64.self)))
        case .int64: return .integer(Int(try integer(Int64.self)))
        case .float32: return .number(Double(Float(bitPattern: try integer(UInt32.self))))
        case .float64: return .number(Double(bitPattern: try integer(UInt64.self)))
        case .bool:
            let byte = try integer(UInt8.self)
            guard byte <= 1 else { throw Failure(reason: "a boolean that is \(byte)") }
            return .bool(byte == 1)
        case .string: return .string(try string())
        case .array: return .array(try array())
        }
    }

    /// Reads an array and checks its elements, so that they can be read again without errors.
    private mutating func array() throws(Failure) -> GGUFArray {
        let kind = try valueKind()
        guard kind != .array else { throw Failure(reason: "an array of arrays") }
        let count = try count(ofSize: kind.leastBytes)
        let start = position
        switch kind {
        case .string: for _ in 0..<count { _ = try string() }
        case .bool: for _ in 0..<count { _ = try value(.bool) }
        default: position += count * kind.leastBytes
        }
        return GGUFArray(
            kind: kind, count: count, bytes: UnsafeRawBufferPointer(rebasing: bytes[start..<position]))
    }
}
