// Reads the safetensors format: 8 bytes of little-endian header length, a JSON header, then the tensors' bytes.
import Foundation
import Text

/// Element types of safetensors, by the names of its header.
enum TensorType: String {
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

    /// Bytes of one element.
    var size: Int {
        switch self {
        case .float64, .int64, .uint64: 8
        case .float32, .int32, .uint32: 4
        case .float16, .bfloat16, .int16, .uint16: 2
        case .float8E4M3, .float8E5M2, .float8E8M0, .int8, .uint8, .bool: 1
        }
    }
}

/// A tensor inside a mapped file; the bytes live as long as `owner`.
struct StoredTensor {
    var type: TensorType
    var shape: [Int]
    /// Row-major; possibly not aligned to the element size.
    var bytes: UnsafeRawBufferPointer
    var owner: MappedFile
}

/// One safetensors file, mapped, every entry of its header checked against the file.
struct SafetensorsFile {
    static let maximumHeaderBytes = 100_000_000

    let tensors: [String: StoredTensor]

    /// - Throws: `CheckpointError.unreadable`, or `.malformed` naming the tensor at fault.
    init(_ url: URL) throws(CheckpointError) {
        let file = try MappedFile(url)
        let path = url.path
        let headerBytes = try Self.headerRange(of: file, path: path)
        let data = UnsafeRawBufferPointer(rebasing: file.bytes[headerBytes.upperBound...])

        let header: JSONValue
        do {
            header = try JSONValue(parsing: [UInt8](file.bytes[headerBytes]))
        } catch {
            throw .malformed(file: path, tensor: nil, reason: "header: \(error)")
        }
        guard let entries = header.object else {
            throw .malformed(file: path, tensor: nil, reason: "the header is not a JSON object")
        }

        var tensors: [String: StoredTensor] = [:]
        var ranges: [(name: String, range: Range<Int>)] = []
        for (name, entry) in entries where name != "__metadata__" {
            let (type, shape, range) = try Self.parse(entry, dataBytes: data.count) {
                .malformed(file: path, tensor: name, reason: $0)
            }
            if !range.isEmpty { ranges.append((name, range)) }
            tensors[name] = StoredTensor(
                type: type, shape: shape, bytes: UnsafeRawBufferPointer(rebasing: data[range]), owner: file)
        }
        ranges.sort { $0.range.lowerBound < $1.range.lowerBound }
        for (earlier, later) in zip(ranges, ranges.dropFirst())
        where later.range.lowerBound < earlier.range.upperBound {
            throw .malformed(file: path, tensor: later.name, reason: "overlaps tensor \(earlier.name)")
        }
        self.tensors = tensors
    }

    private static func headerRange(of file: MappedFile, path: String) throws(CheckpointError) -> Range<Int> {
        guard file.bytes.count >= 8 else {
            throw .malformed(file: path, tensor: nil, reason: "shorter than the 8 bytes of its header's length")
        }
        let length = UInt64(littleEndian: file.bytes.loadUnaligned(as: UInt64.self))
        guard length <= UInt64(maximumHeaderBytes) else {
            throw .malformed(
                file: path, tensor: nil, reason: "header of \(length) bytes, at most \(maximumHeaderBytes) are read")
        }
        guard Int(length) <= file.bytes.count - 8 else {
            throw .malformed(file: path, tensor: nil, reason: "header of \(length) bytes ends beyond the file")
        }
        return 8..<8 + Int(length)
    }

    /// Type, shape and place of one entry; `malformed` makes the error that names it.
    private static func parse(
        _ entry: JSONValue, dataBytes: Int, malformed: (String) -> CheckpointError
    ) throws(CheckpointError) -> (TensorType, [Int], Range<Int>) {
        guard let typeName = entry["dtype"]?.string else { throw malformed("no dtype") }
        guard let type = TensorType(rawValue: typeName) else { throw malformed("unknown dtype \(typeName)") }
        guard let sizes = entry["shape"]?.array else { throw malformed("no shape") }
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
        return (type, shape, start..<end)
    }
}
