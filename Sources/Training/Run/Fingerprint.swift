import Checkpoints
import Foundation
import JSON

/// The inputs of a run that must be unchanged when it is resumed. Stages may be appended: they do not affect earlier steps.
struct Fingerprint {
    let json: JSONObject

    /// - Throws: an error with the name of the file that cannot be read.
    init(_ plan: TrainingPlan, _ precision: Precision) throws {
        let recipe = plan.recipe
        var files = JSONObject()
        for url in recipe.urls {
            let name = Self.name(of: url, in: recipe.folder)
            if files[name] == nil { files[name] = .string(try Self.text(of: url)) }
        }
        var names = ["config.json"]
        if plan.usesTokenizer { names += DocumentTokenizer.files }
        var model = JSONObject()
        for name in names {
            let url = recipe.initial.appending(path: name)
            if FileManager.default.fileExists(atPath: url.path) { model[name] = .string(try Self.text(of: url)) }
        }
        var json: JSONObject = [
            "files": .object(files), "initial": .object(model), "precision": .string(precision.rawValue),
        ]
        for name in ["seed", "documents", "hyperparameters", "stages", "held_out", "freeze"] {
            json[name] = recipe.json[name] ?? .null
        }
        self.json = json
    }

    /// Returns the name of the first member that differs, such as `hyperparameters.muon_lr`, or `nil` if the run of `other`, the
    /// fingerprint of a checkpoint, can be resumed: if all are equal, or only stages with their files are added after its stages.
    func difference(from other: JSONValue?) -> String? {
        let other = other ?? .null
        return Self.difference(.object(json(comparedWith: other)), other, path: "")
    }

    /// Returns the fingerprint without the stages after as many as `other` has, and without the files that only they read.
    private func json(comparedWith other: JSONValue) -> JSONObject {
        guard let stages = json["stages"]?.array, let count = other["stages"]?.array?.count, stages.count > count,
            let files = json["files"]?.object, let known = other["files"]?.object
        else { return json }
        var (compared, read) = (json, JSONObject())
        for (name, value) in files where known[name] != nil { read[name] = value }
        compared["files"] = .object(read)
        compared["stages"] = .array(Array(stages[..<count]))
        return compared
    }

    /// Returns the path of a file, relative to the recipe's folder if it is inside, so that the folder can be moved.
    private static func name(of url: URL, in folder: URL) -> String {
        let (path, root) = (url.standardizedFileURL.path, folder.standardizedFileURL.path + "/")
        return path.hasPrefix(root) ? String(path.dropFirst(root.count)) : path
    }

    private static func difference(_ left: JSONValue, _ right: JSONValue, path: String) -> String? {
        guard left != right else { return nil }
        if let left = left.object, let right = right.object {
            for name in Set(left.names).union(right.names).sorted() {
                let inner = path.isEmpty ? name : "\(path).\(name)"
                if let found = difference(left[name] ?? .null, right[name] ?? .null, path: inner) { return found }
            }
            // Only the order of the members differs.
            return nil
        }
        if let left = left.array, let right = right.array, left.count == right.count {
            for index in left.indices {
                if let found = difference(left[index], right[index], path: "\(path)[\(index)]") { return found }
            }
            return nil
        }
        return path
    }

    /// Returns the size and hash of a file: FNV-1a with 64 bits. It does not protect against deliberate collisions.
    private static func text(of url: URL) throws(CheckpointError) -> String {
        let file = try MappedFile(url)
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        // The bytes are valid as long as the file object exists.
        withExtendedLifetime(file) {
            for byte in file.bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        }
        return "\(file.bytes.count):" + String(hash, radix: 16)
    }
}
