// Collects the tensors of a model folder from one or more safetensors files.
import Basics
import Foundation
import JSON

/// All tensors of a model folder, by name.
public struct StoredTensors {
    public static let singleName = "model.safetensors"
    public static let indexName = "model.safetensors.index.json"
    /// The maximum size of an index in bytes; the index of the largest released model has 5 MB.
    private static let largestIndex = 32 << 20
    /// The maximum number of files in an index.
    private static let mostShards = 1 << 12

    public private(set) var tensors: [String: StoredTensor] = [:]
    /// Tensors that are missing from the file that the index names, with the name of that file.
    public private(set) var misplaced: [String: String] = [:]

    /// Creates a collection of tensors that were already read.
    init(_ tensors: [String: StoredTensor]) {
        self.tensors = tensors
    }

    /// - Throws: `CheckpointError.unreadable` with the name of the missing file, or `.malformed`.
    public init(directory: URL) throws(CheckpointError) {
        let single = directory.appending(path: Self.singleName)
        let index = directory.appending(path: Self.indexName)
        if RegularFile.exists(single.path) {
            tensors = try SafetensorsFile(single).tensors
        } else if RegularFile.exists(index.path) {
            try readShards(index: index, directory: directory)
        } else {
            throw .unreadable(file: directory.path, reason: "neither \(Self.singleName) nor \(Self.indexName) in it")
        }
    }

    /// The name endings of the scales of activations, and of queries, keys and values.
    private static let unusedScales = [
        ".input_scale", ".input_zero_point", ".input_global_scale", ".output_scale", ".q_scale", ".k_scale", ".v_scale",
        ".q_zero_point", ".k_zero_point", ".v_zero_point",
    ]

    static func isUnusedScale(_ name: String) -> Bool { unusedScales.contains(where: name.hasSuffix) }

    /// Whether a tensor that is not one of the model's may be in its files, because the model is the same without it.
    package static func isUnused(_ name: String, _ tensor: StoredTensor, tiesEmbeddings: Bool) -> Bool {
        isUnusedScale(name) || name.hasSuffix(".rotary_emb.inv_freq") || tiesEmbeddings && name == "lm_head.weight"
            || tensor.bytes.isEmpty
    }

    private mutating func readShards(index: URL, directory: URL) throws(CheckpointError) {
        let homes = try Self.parseIndex(index)
        let shards = Set(homes.values).sorted()
        guard shards.count <= Self.mostShards else {
            throw .malformed(
                file: index.path, tensor: nil,
                reason: "names \(shards.count) files, more than the limit of \(Self.mostShards)")
        }
        var headerBytes = 0
        for shard in shards {
            let url = directory.appending(path: shard)
            guard RegularFile.exists(url.path) else {
                throw .unreadable(file: url.path, reason: "\(Self.indexName) names it, but it is missing")
            }
            // If two shards contain a tensor, the shard that the index names is used. A tensor that is missing from the index is
            // kept and checked like the others.
            let file = try SafetensorsFile(url)
            headerBytes += file.headerBytes
            guard headerBytes <= SafetensorsHeader.maximumBytes else {
                throw .malformed(
                    file: url.path, tensor: nil,
                    reason: """
                        the headers up to this file have \(headerBytes) bytes, more than the limit of \
                        \(SafetensorsHeader.maximumBytes)
                        """)
            }
            for (name, tensor) in file.tensors where homes[name] ?? shard == shard {
                tensors[name] = tensor
            }
        }
        misplaced = homes.filter { tensors[$0.key] == nil }
    }

    /// Returns the file name of each tensor.
    private static func parseIndex(_ url: URL) throws(CheckpointError) -> [String: String] {
        let json: JSONValue
        do {
            json = try JSONValue(parsing: RegularFile.read(url.path, atMost: largestIndex))
        } catch {
            throw .unreadable(file: url.path, reason: "\(error)")
        }
        guard let map = json["weight_map"]?.object else {
            throw .malformed(file: url.path, tensor: nil, reason: "no weight_map")
        }
        var homes: [String: String] = [:]
        for (name, file) in map {
            // Shards must be in the same folder as the index; a path could point anywhere.
            guard let file = file.string, !file.isEmpty, !file.utf8.contains(UInt8(ascii: "/")) else {
                throw .malformed(file: url.path, tensor: name, reason: "its file is not a plain file name")
            }
            homes[name] = file
        }
        return homes
    }
}
