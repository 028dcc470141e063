import Foundation

/// A tensor in a mapped file; the bytes are valid as long as `owner` lives.
public struct StoredTensor {
    public var type: TensorType
    public var shape: [Int]
    /// The elements in row-major order, not necessarily aligned to the element size.
    public var bytes: UnsafeRawBufferPointer
    public var owner: MappedFile
}

/// A mapped safetensors file.
public struct SafetensorsFile {
    public let tensors: [String: StoredTensor]
    public let headerBytes: Int

    /// - Throws: `CheckpointError.unreadable`, or `.malformed` with the name of the invalid tensor.
    public init(_ url: URL) throws(CheckpointError) {
        let file = try MappedFile(url)
        let header = try SafetensorsHeader(parsing: file.bytes, path: url.path)
        headerBytes = header.bytes
        tensors = header.entries.mapValues { entry in
            StoredTensor(
                type: entry.type, shape: entry.shape, bytes: UnsafeRawBufferPointer(rebasing: file.bytes[entry.range]),
                owner: file)
        }
    }
}
