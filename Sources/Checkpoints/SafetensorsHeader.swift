import JSON

/// The element types of safetensors; the raw values are the names in the header.
public enum TensorType: String, Sendable {
    case float64 = "F64"
    case float32 = "F32"
    case float16 = "F16"
    case bfloat16 = "BF16"
    case float8E4M3 = "F8_E4M3"
    case float8E5M2 = "F8_E5M2"
    case float8E8M0 = "F8_E8M0"
    case int64 = "I64"
    case int32 = "I32"
    case int16 = "I16"
    case int8 = "I8"
    case uint64 = "U64"
    case uint32 = "U32"
    case uint16 = "U16"
    case uint8 = "U8"
    case bool = "BOOL"

    /// The size of one element in bytes.
    public var size: Int {
        switch self {
        case .float64, .int64, .uint64: 8
        case .float32, .int32, .uint32: 4
        case .float16, .bfloat16, .int16, .uint16: 2
        case .float8E4M3, .float8E5M2, .float8E8M0, .int8, .uint8, .bool: 1
        }
    }
}

/// The header of a safetensors file: its length as 8 little-endian bytes, then JSON, followed by the tensors' bytes. Every entry
/// is checked against the file's length and against the other entries.
public struct SafetensorsHeader {
    public struct Entry {
        public var type: TensorType
        public var shape: [Int]
        /// The range of the tensor's bytes in the file.
        public var range: Range<Int>
    }

    /// The maximum size in bytes of one header, and of the headers of all shards together. The largest released model has 12 MB;
    /// parsed JSON values take about eight times as much.
    static let maximumBytes = 32 << 20

    private static let mostDimensions = 8

    public let entries: [String: Entry]
    /// The size of the header's JSON in bytes.
    let bytes: Int

    /// - Parameters:
    ///   - file: the whole file.
    ///   - path: the path for error messages.
    /// - Throws: `CheckpointError.malformed`, with the name of the invalid tensor.
    public init(parsing file: UnsafeRawBufferPointer, path: String) throws(CheckpointError) {
        let headerBytes = try Self.range(in: file, path: path)
        bytes = headerBytes.count
        let header: JSONValue
        do {
            header = try JSONValue(parsing: [UInt8](file[headerBytes]))
        } catch {
            throw .malformed(file: path, tensor: nil, reason: "header: \(error)")
        }
        guard let members = header.object else {
            throw .malformed(file: path, tensor: nil, reason: "the header is not a JSON object")
        }

        var entries: [String: Entry] = [:]
        let dataStart = headerBytes.upperBound
        for (name, member) in members where name != "__metadata__" {
            var entry = try Self.parse(member, dataBytes: file.count - dataStart) {
                .malformed(file: path, tensor: name, reason: $0)
            }
            entry.range = entry.range.lowerBound + dataStart..<entry.range.upperBound + dataStart
            entries[name] = entry
        }
        let places = entries.filter { !$0.value.range.isEmpty }
            .sorted { ($0.value.range.lowerBound, $0.key) < ($1.value.range.lowerBound, $1.key) }
        for (earlier, later) in zip(places, places.dropFirst())
        where later.value.range.lowerBound < earlier.value.range.upperBound {
            throw .malformed(file: path, tensor: later.key, reason: "overlaps tensor \(earlier.key)")
        }
        self.entries = entries
    }

    private static func range(in file: UnsafeRawBufferPointer, path: String) throws(CheckpointError) -> Range<Int> {
        guard file.count >= 8 else {
            throw .malformed(file: path, tensor: nil, reason: "shorter than the 8 bytes of its header's length")
        }
        let length = UInt64(littleEndian: file.loadUnaligned(as: UInt64.self))
        guard length <= UInt64(maximumBytes) else {
            throw .malformed(
                file: path, tensor: nil, reason: "header of \(length) bytes, at most \(maximumBytes) are read")
        }
        guard Int(length) <= file.count - 8 else {
            throw .malformed(file: path, tensor: nil, reason: "header of \(length) bytes ends beyond the file")
        }
        return 8..<8 + Int(length)
    }

    /// Parses one entry, with its range in the data; `malformed` creates the error that names it.
    private static func parse(
        _ entry: JSONValue, dataBytes: Int, malformed: (String) -> CheckpointError
    ) throws(CheckpointError) -> Entry {
        guard let typeName = entry["dtype"]?.string else { throw malformed("no dtype") }
        guard let type = TensorType(rawValue: typeName) else { throw malformed("unknown dtype \(typeName)") }
        guard let sizes = entry["shape"]?.array else { throw malformed("no shape") }
        guard sizes.count <= mostDimensions else {
            throw malformed("its shape has \(sizes.count) sizes, more than the limit of \(mostDimensions)")
        }
        let shape = sizes.compactMap(\.integer)
        guard shape.count == sizes.count, shape.allSatisfy({ $0 >= 0 }) else {
            throw malformed("a size of its shape is not a count")
        }
        guard let offsets = entry["data_offsets"]?.array, offsets.count == 2, let start = offsets[0].integer,
            let end = offsets[1].integer, start >= 0, start <= end
        else { throw malformed("data_offsets are not [begin, end]") }
        guard end <= dataBytes else { throw malformed("data_offsets end at \(end), the file at \(dataBytes)") }

        var bytes = type.size
        for size in shape {
            let (product, overflow) = bytes.multipliedReportingOverflow(by: size)
            guard !overflow else { throw malformed("its shape \(shape) is too large") }
            bytes = product
        }
        guard bytes == end - start else {
            throw malformed("\(typeName) \(shape) takes \(bytes) bytes, data_offsets give \(end - start)")
        }
        return Entry(type: type, shape: shape, range: start..<end)
    }
}
