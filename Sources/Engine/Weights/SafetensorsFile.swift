import Foundation

/// A tensor inside a mapped file; the bytes live as long as `owner`.
struct StoredTensor {
    var type: TensorType
    var shape: [Int]
    /// Row-major; possibly not aligned to the element size.
    var bytes: UnsafeRawBufferPointer
    var owner: MappedFile
}

/// One safetensors file, mapped.
struct SafetensorsFile {
    let tensors: [String: StoredTensor]
    let headerBytes: Int

    /// - Throws: `CheckpointError.unreadable`, or `.malformed` naming the tensor at fault.
    init(_ url: URL) throws(CheckpointError) {
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
