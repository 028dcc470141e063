// Writes safetensors files as a stream. The callers provide the tensors' contents and the other files of a folder.
import Basics
import Foundation
import JSON

/// Writes the tensors of a checkpoint one after another, into one file or into shards with an index.
///
/// All sizes are known in advance, so every header is written before its data, and no tensor has to be in memory as a whole.
public struct CheckpointWriter: ~Copyable {
    /// The description of a tensor to write.
    public struct Entry {
        public var name: String
        public var type: TensorType
        public var shape: [Int]

        public init(name: String, type: TensorType, shape: [Int]) {
            self.name = name
            self.type = type
            self.shape = shape
        }

        /// The size of its elements in bytes.
        public var bytes: Int { shape.reduce(type.size, *) }
    }

    /// The maximum size of a file in bytes, which only a single larger tensor can exceed.
    public static let shardBytes = 4 << 30

    private struct Shard {
        var name: String
        var entries: [Entry]
        var bytes: Int { entries.reduce(0) { $0 + $1.bytes } }
    }

    private let directory: URL
    private var waiting: ArraySlice<Shard>
    private var file: FileWriter?
    /// The bytes of the open file's data that have not been written yet.
    private var missing = 0
    /// The size of all tensors' data in bytes.
    public let totalBytes: Int
    public private(set) var writtenBytes = 0

    /// Creates the writer, and writes the index if there will be several files.
    ///
    /// - Throws: `CheckpointError.unwritable`, also if the file system has too little space for all tensors.
    /// - Parameter entries: the tensors, in the order in which their data will be appended.
    public init(directory: URL, entries: [Entry], shardBytes: Int = shardBytes) throws(CheckpointError) {
        self.directory = directory
        let shards = Self.shards(of: entries, shardBytes: shardBytes)
        waiting = shards[...]
        totalBytes = shards.reduce(0) { $0 + $1.bytes }
        try FileWriter.checkRoom(for: totalBytes, in: directory)
        if shards.count > 1 {
            var homes = JSONObject()
            for shard in shards { for entry in shard.entries { homes[entry.name] = .string(shard.name) } }
            let index: JSONValue = ["metadata": ["total_size": .integer(totalBytes)], "weight_map": .object(homes)]
            try Self.write(index, to: StoredTensors.indexName, in: directory)
        }
    }

    /// Writes the next bytes of the tensors' data. A tensor may be written in pieces, but a piece must not span two shards.
    public mutating func append(_ bytes: UnsafeRawBufferPointer) throws(CheckpointError) {
        guard !bytes.isEmpty else { return }
        while missing == 0, let shard = waiting.popFirst() { try open(shard) }
        precondition(bytes.count <= missing, "as many bytes are written as the tensors have")
        try file?.append(bytes)
        missing -= bytes.count
        writtenBytes += bytes.count
    }

    /// Closes the last file.
    ///
    /// - Precondition: all tensors have been written.
    public mutating func finish() throws(CheckpointError) {
        while missing == 0, let shard = waiting.popFirst() { try open(shard) }
        precondition(missing == 0, "every tensor is written")
        try close()
    }

    /// Writes `json` as the file `name` of a folder.
    public static func write(_ json: JSONValue, to name: String, in directory: URL) throws(CheckpointError) {
        try write(Data(json.serialized), to: name, in: directory)
    }

    /// Writes the file `name` of a folder.
    public static func write(_ data: Data, to name: String, in directory: URL) throws(CheckpointError) {
        var file = try FileWriter(directory.appending(path: name).path)
        try file.append([UInt8](data))
        try file.finish()
    }

    /// Creates `directory` for a new checkpoint and calls `write` to fill it. If that fails, the folder is restored to its previous
    /// state, and folders that were created on the way to it are removed.
    ///
    /// - Throws: the error of `write`, or `CheckpointError.unwritable` if the folder exists and is not empty: files are never
    ///   overwritten.
    public static func fill(_ directory: URL, write: () throws -> Void) throws {
        let files = FileManager.default
        let missing = missingFolders(to: directory)
        guard !missing.isEmpty || (try? files.contentsOfDirectory(atPath: directory.path))?.isEmpty == true else {
            throw CheckpointError.unwritable(
                file: directory.path, reason: "the output directory exists and is not an empty directory")
        }
        do {
            try files.createDirectory(at: directory, withIntermediateDirectories: true)
        } catch {
            for folder in missing { rmdir(folder) }
            let system = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError
            let reason = system.map { String(cString: strerror(Int32(truncatingIfNeeded: $0.code))) }
            throw CheckpointError.unwritable(file: directory.path, reason: reason ?? error.localizedDescription)
        }
        do {
            try write()
        } catch {
            // The folder was empty, so this call created everything in it.
            for name in (try? files.contentsOfDirectory(atPath: directory.path)) ?? [] {
                try? files.removeItem(at: directory.appending(path: name))
            }
            for folder in missing { rmdir(folder) }
            throw error
        }
    }

    /// Returns the paths of the folders that must be created for `directory`, the innermost first.
    private static func missingFolders(to directory: URL) -> [String] {
        var missing: [String] = []
        var path = directory.standardizedFileURL.path
        while !RegularFile.exists(path), path != "/" {
            missing.append(path)
            path = (path as NSString).deletingLastPathComponent
        }
        return missing
    }

    private static func shards(of entries: [Entry], shardBytes: Int) -> [Shard] {
        var groups: [[Entry]] = [[]]
        var bytes = 0
        for entry in entries {
            if bytes > 0, bytes + entry.bytes > shardBytes {
                groups.append([])
                bytes = 0
            }
            groups[groups.count - 1].append(entry)
            bytes += entry.bytes
        }
        guard groups.count > 1 else { return [Shard(name: StoredTensors.singleName, entries: entries)] }
        return groups.enumerated().map { index, entries in
            let name = String(format: "model-%05d-of-%05d.safetensors", index + 1, groups.count)
            return Shard(name: name, entries: entries)
        }
    }

    private mutating func open(_ shard: Shard) throws(CheckpointError) {
        try close()
        var header = JSONObject()
        var end = 0
        header["__metadata__"] = ["format": "pt"]
        for entry in shard.entries {
            let start = end
            end += entry.bytes
            header[entry.name] = [
                "dtype": .string(entry.type.rawValue), "shape": .array(entry.shape.map { .integer($0) }),
                "data_offsets": [.integer(start), .integer(end)],
            ]
        }
        var text = JSONValue.object(header).serialized
        // The data starts at a multiple of the size of a vector register.
        text += [UInt8](repeating: 0x20, count: (64 - (text.count + 8) % 64) % 64)
        let start = withUnsafeBytes(of: UInt64(text.count).littleEndian, Array.init) + text
        missing = end
        var file = try FileWriter(directory.appending(path: shard.name).path)
        try file.append(start)
        self.file = consume file
    }

    private mutating func close() throws(CheckpointError) {
        try file?.finish()
        file = nil
    }
}
