import Foundation

/// Writes a GGUF file (version 3) as a stream: the metadata, the descriptions of all tensors, then their data.
public struct GGUFWriter: ~Copyable {
    /// A value in the metadata.
    public enum Value {
        case uint32(Int)
        case float32(Float)
        case bool(Bool)
        case string(String)
        case strings([String])
        case int32s([Int])
    }

    /// The description of a tensor to write.
    public struct Entry {
        public var name: String
        public var type: GGUFType
        /// The row-major shape; the last dimension is whole blocks of the type.
        public var shape: [Int]

        public init(name: String, type: GGUFType, shape: [Int]) {
            self.name = name
            self.type = type
            self.shape = shape
        }

        /// The size of its blocks in bytes.
        public var bytes: Int { shape.reduce(1, *) / type.blockColumns * type.blockBytes }
    }

    /// Each tensor begins at a multiple of this number of bytes, the format's default.
    private static let alignment = 32

    private var file: FileWriter
    private var waiting: ArraySlice<Entry>
    /// The bytes of the current tensor that have not been written yet.
    private var missing = 0
    /// The number of zeros before the next tensor.
    private var padding = 0
    /// The size of all tensors' data in bytes.
    public let totalBytes: Int
    public private(set) var writtenBytes = 0

    /// Creates the file and writes its header.
    ///
    /// - Parameters:
    ///   - metadata: the keys and values, in their order in the file.
    ///   - entries: the tensors, in the order in which their data will be appended.
    /// - Throws: `CheckpointError.unwritable`, also if the file system has too little space for all tensors.
    public init(
        _ url: URL, metadata: [(key: String, value: Value)], entries: [Entry]
    ) throws(CheckpointError) {
        let totalBytes = entries.reduce(0) { $0 + $1.bytes }
        try FileWriter.checkRoom(for: totalBytes, in: url.deletingLastPathComponent())
        var header = Header()
        header.bytes += Array("GGUF".utf8)
        header.append(3 as UInt32)
        header.append(UInt64(entries.count))
        header.append(UInt64(metadata.count))
        for (key, value) in metadata {
            header.append(key)
            header.append(value)
        }
        var offset = 0
        for entry in entries {
            header.append(entry.name)
            header.append(UInt32(entry.shape.count))
            for size in entry.shape.reversed() { header.append(UInt64(size)) }
            header.append(entry.type.rawValue)
            header.append(UInt64(offset))
            offset += entry.bytes + Self.padding(behind: entry.bytes)
        }
        var file = try FileWriter(url.path)
        try file.append(header.bytes)
        self.file = file
        self.totalBytes = totalBytes
        waiting = entries[...]
        padding = Self.padding(behind: header.bytes.count)
    }

    private static func padding(behind bytes: Int) -> Int { (alignment - bytes % alignment) % alignment }

    /// Writes the next bytes of the tensors' data. A tensor may be written in pieces, but a piece must not span two tensors.
    public mutating func append(_ bytes: UnsafeRawBufferPointer) throws(CheckpointError) {
        guard !bytes.isEmpty else { return }
        while missing == 0, let entry = waiting.popFirst() {
            try pad()
            missing = entry.bytes
            padding = Self.padding(behind: entry.bytes)
        }
        precondition(bytes.count <= missing, "as many bytes are written as the tensors have")
        try file.append(bytes)
        missing -= bytes.count
        writtenBytes += bytes.count
    }

    /// Closes the file.
    ///
    /// - Precondition: all tensors have been written.
    public mutating func finish() throws(CheckpointError) {
        precondition(missing == 0 && waiting.allSatisfy { $0.bytes == 0 }, "every tensor is written")
        try pad()
        try file.finish()
    }

    private mutating func pad() throws(CheckpointError) {
        try file.append([UInt8](repeating: 0, count: padding))
        padding = 0
    }
}

/// The bytes before the tensors.
private struct Header {
    var bytes: [UInt8] = []

    mutating func append(_ number: some FixedWidthInteger) {
        withUnsafeBytes(of: number.littleEndian) { bytes += $0 }
    }

    mutating func append(_ string: String) {
        append(UInt64(string.utf8.count))
        bytes += Array(string.utf8)
    }

    private mutating func appendKind(_ kind: GGUFValueKind) { append(kind.rawValue) }

    mutating func append(_ value: GGUFWriter.Value) {
        switch value {
        case .uint32(let number):
            appendKind(.uint32)
            append(UInt32(number))
        case .float32(let number):
            appendKind(.float32)
            append(number.bitPattern)
        case .bool(let flag):
            appendKind(.bool)
            bytes.append(flag ? 1 : 0)
        case .string(let text):
            appendKind(.string)
            append(text)
        case .strings(let texts):
            appendKind(.array)
            appendKind(.string)
            append(UInt64(texts.count))
            for text in texts { append(text) }
        case .int32s(let numbers):
            appendKind(.array)
            appendKind(.int32)
            append(UInt64(numbers.count))
            for number in numbers { append(Int32(number)) }
        }
    }
}
