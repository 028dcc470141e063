import Checkpoints
import Foundation
import JSON

/// The output folder of a run: whole checkpoints in `step-N` while it runs, and at its end the checkpoint itself.
///
/// A checkpoint is written to `step-N.partial`, synchronized with the disk and renamed, so a killed run continues from the last
/// whole one.
struct RunFolder {
    /// The number of checkpoints that are kept while a run goes on.
    private static let kept = 2
    private static let prefix = "step-"
    private static let partial = ".partial"
    private static let configName = "config.json"
    private static let copied = [
        "tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json",
        "special_tokens_map.json",
    ]

    let url: URL

    /// Creates the folder, if there is none.
    ///
    /// - Throws: `CheckpointError.unwritable` if it has something else than a run.
    init(_ url: URL) throws {
        self.url = url
        do {
            try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        } catch {
            throw CheckpointError.unwritable(file: url.path, reason: error.localizedDescription)
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: url.path)
        let isRun = names.contains { $0.hasPrefix(Self.prefix) || $0 == Trainer.stateName }
        guard names.isEmpty || isRun else {
            throw CheckpointError.unwritable(
                file: url.path, reason: "the output directory is not empty and has no run that could be resumed")
        }
    }

    /// The checkpoint from which the run goes on; `nil` if there is none.
    var newest: URL? {
        if let step = steps.last { return url.appending(path: "\(Self.prefix)\(step)") }
        let isComplete = FileManager.default.fileExists(atPath: url.appending(path: Self.configName).path)
        return isComplete ? url : nil
    }

    /// Writes the checkpoint of the current step, and removes older ones.
    ///
    /// - Parameters:
    ///   - loader: the state of the source of batches.
    ///   - source: the folder with `config.json` and the files of the tokenizer.
    func write(_ trainer: Trainer, loader: JSONValue, source: URL, fingerprint: JSONObject) throws {
        let files = FileManager.default
        let name = "\(Self.prefix)\(trainer.step)"
        let (final, partial) = (url.appending(path: name), url.appending(path: name + Self.partial))
        guard !files.fileExists(atPath: final.path) else { return }
        if files.fileExists(atPath: partial.path) { try files.removeItem(at: partial) }
        try files.createDirectory(at: partial, withIntermediateDirectories: false)
        do {
            try trainer.writeState(to: partial, loader: loader, fingerprint: fingerprint)
            try trainer.model.write(to: partial)
            for name in Self.copied where files.fileExists(atPath: source.appending(path: name).path) {
                try files.copyItem(at: source.appending(path: name), to: partial.appending(path: name))
            }
            var config = try ConfigReader.load(Self.configName, in: source)?.object ?? JSONObject()
            config["dtype"] = "float32"
            // The weights of a new model are not quantized, whatever those of the configuration were.
            config["quantization_config"] = nil
            try CheckpointWriter.write(.object(config), to: Self.configName, in: partial)
            for name in try files.contentsOfDirectory(atPath: partial.path) {
                try Self.synchronize(partial.appending(path: name))
            }
            try Self.synchronize(partial)
        } catch {
            // An incomplete checkpoint takes room that the disk may not have.
            try? files.removeItem(at: partial)
            throw error
        }
        try files.moveItem(at: partial, to: final)
        try Self.synchronize(url)
        for step in steps.dropLast(Self.kept) {
            try files.removeItem(at: url.appending(path: "\(Self.prefix)\(step)"))
        }
    }

    /// Makes the newest checkpoint that of the folder itself, with `config.json` last, and removes the others.
    func finish() throws {
        guard let newest, newest != url else { return }
        let files = FileManager.default
        let names = try files.contentsOfDirectory(atPath: newest.path).sorted()
        for name in names.filter({ $0 != Self.configName }) + [Self.configName] {
            let (source, target) = (newest.appending(path: name).path, url.appending(path: name).path)
            unlink(target)
            guard link(source, target) == 0 else {
                throw CheckpointError.unwritable(file: target, reason: String(cString: strerror(errno)))
            }
        }
        try Self.synchronize(url)
        for name in try files.contentsOfDirectory(atPath: url.path) where name.hasPrefix(Self.prefix) {
            try files.removeItem(at: url.appending(path: name))
        }
    }

    /// The steps of whole checkpoints, ascending.
    private var steps: [Int] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? []
        return names.filter { $0.hasPrefix(Self.prefix) }.compactMap { Int($0.dropFirst(Self.prefix.count)) }.sorted()
    }

    /// Waits until a file, or the entries of a folder, are on the disk.
    private static func synchronize(_ url: URL) throws(CheckpointError) {
        let descriptor = open(url.path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw .unwritable(file: url.path, reason: String(cString: strerror(errno)))
        }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else {
            throw .unwritable(file: url.path, reason: String(cString: strerror(errno)))
        }
    }
}
