// Gathers the tensors of a model folder, whether it has one safetensors file or many.
import Foundation
import Text

/// All tensors of a model folder by name.
struct StoredTensors {
    static let singleName = "model.safetensors"
    static let indexName = "model.safetensors.index.json"

    private(set) var tensors: [String: StoredTensor] = [:]
    /// Tensors that the index promises in a file that does not have them, with that file.
    private(set) var misplaced: [String: String] = [:]

    /// - Throws: `CheckpointError.unreadable` naming the file that is missing, or `.malformed`.
    init(directory: URL) throws(CheckpointError) {
        let single = directory.appending(path: Self.singleName)
        let index = directory.appending(path: Self.indexName)
        if FileManager.default.fileExists(atPath: single.path) {
            tensors = try SafetensorsFile(single).tensors
        } else if FileManager.default.fileExists(atPath: index.path) {
            try readShards(index: index, directory: directory)
        } else {
            throw .unreadable(file: directory.path, reason: "neither \(Self.singleName) nor \(Self.indexName) in it")
        }
    }

    private mutating func readShards(index: URL, directory: URL) throws(CheckpointError) {
        let homes = try Self.parseIndex(index)
        for shard in Set(homes.values).sorted() {
            let url = directory.appending(path: shard)
            guard FileManager.default.fileExists(atPath: url.path) else {
                throw .unreadable(file: url.path, reason: "\(Self.indexName) names it, but it is missing")
            }
            // A tensor that two shards have belongs to the one that the index names; one that the index forgot is
            // kept too, to be judged like the others.
            for (name, tensor) in try SafetensorsFile(url).tensors where homes[name] ?? shard == shard {
                tensors[name] = tensor
            }
        }
        misplaced = homes.filter { tensors[$0.key] == nil }
    }

    /// The file of each tensor.
    private static func parseIndex(_ url: URL) throws(CheckpointError) -> [String: String] {
        let json: JSONValue
        do {
            json = try JSONValue(parsing: [UInt8](Data(contentsOf: url)))
        } catch {
            throw .unreadable(file: url.path, reason: "\(error)")
        }
        guard let map = json["weight_map"]?.object else {
            throw .malformed(file: url.path, tensor: nil, reason: "no weight_map")
        }
        var homes: [String: String] = [:]
        for (name, file) in map {
            // Shards lie beside the index; a path could lead anywhere.
            guard let file = file.string, !file.isEmpty, !file.utf8.contains(UInt8(ascii: "/")) else {
                throw .malformed(file: url.path, tensor: name, reason: "its file is not a plain file name")
            }
            homes[name] = file
        }
        return homes
    }
}
