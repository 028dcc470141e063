import Checkpoints
import Foundation
import JSON

/// The output folder of a run: whole checkpoints in `step-N` while it runs, and at its end the checkpoint itself.
///
/// A checkpoint is written to `step-N.partial`, synchronized with the disk and renamed, so a killed run continues from the last
/// whole one. The folder is locked as long as this object lives.
final class RunFolder {
    /// The number of checkpoints that are kept while a run goes on.
    private static let kept = 2
    private static let prefix = "step-"
    private static let partial = ".partial"
    /// The checkpoint with the lowest held-out loss, when the run has ended with another one.
    private static let bestName = "best"
    private static let configName = "config.json"
    private static let copied = [
        "tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json",
        "special_tokens_map.json",
    ]

    let url: URL
    /// The open folder, which has the lock.
    private let descriptor: Int32

    /// Creates the folder, if there is none, and removes what a killed run has left half written.
    ///
    /// - Throws: `CheckpointError.unwritable` if it has something else than a run, or if another run uses it.
    init(_ url: URL) throws {
        self.url = url
        do {
            try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        } catch {
            throw CheckpointError.unwritable(file: url.path, reason: error.localizedDescription)
        }
        descriptor = try Self.lock(url)
        let names = try FileManager.default.contentsOfDirectory(atPath: url.path)
        let isRun = names.contains { $0.hasPrefix(Self.prefix) || $0 == Trainer.stateName || $0 == RunLog.name }
        guard names.isEmpty || isRun else {
            throw CheckpointError.unwritable(
                file: url.path, reason: "the output directory is not empty and has no run that could be resumed")
        }
        for name in names where name.hasPrefix(Self.prefix) && name.hasSuffix(Self.partial) {
            try FileManager.default.removeItem(at: url.appending(path: name))
        }
    }

    deinit {
        close(descriptor)
    }

    /// Opens a folder and locks it between processes.
    private static func lock(_ url: URL) throws(CheckpointError) -> Int32 {
        let descriptor = open(url.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .unwritable(file: url.path, reason: String(cString: strerror(errno))) }
        // A file system without locks gives one to everyone.
        if flock(descriptor, LOCK_EX | LOCK_NB) != 0, errno == EWOULDBLOCK {
            close(descriptor)
            throw .unwritable(file: url.path, reason: "another run uses the output directory")
        }
        return descriptor
    }

    /// The checkpoint from which the run goes on; `nil` if there is none.
    var newest: URL? {
        // The last file of a finished run.
        if FileManager.default.fileExists(atPath: url.appending(path: Self.configName).path) { return url }
        return steps.last.map { url.appending(path: "\(Self.prefix)\($0)") }
    }

    /// Writes the checkpoint of the current step, and removes older ones.
    ///
    /// - Parameter source: the folder with `config.json` and the files of the tokenizer.
    func write(_ trainer: Trainer, _ progress: RunProgress, source: URL, fingerprint: Fingerprint) throws {
        let files = FileManager.default
        let name = "\(Self.prefix)\(trainer.step)"
        let (final, partial) = (url.appending(path: name), url.appending(path: name + Self.partial))
        guard !files.fileExists(atPath: final.path) else { return }
        if files.fileExists(atPath: partial.path) { try files.removeItem(at: partial) }
        try files.createDirectory(at: partial, withIntermediateDirectories: false)
        do {
            try trainer.writeState(to: partial, progress, fingerprint: fingerprint)
            try trainer.model.write(to: partial)
            for name in Self.copied where files.fileExists(atPath: source.appending(path: name).path) {
                // The file itself, where the cache of the Hub has a link to it.
                try files.copyItem(
                    at: source.appending(path: name).resolvingSymlinksInPath(), to: partial.appending(path: name))
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
        for step in steps.dropLast(Self.kept) where step != progress.statistics.best?.step {
            try files.removeItem(at: url.appending(path: "\(Self.prefix)\(step)"))
        }
    }

    /// Makes the newest checkpoint that of the folder itself, with `config.json` last, and removes the others but the best. Does
    /// what is left after an interruption.
    ///
    /// - Parameters:
    ///   - best: the step of the best checkpoint, if there is one.
    ///   - last: that of the newest.
    func finish(best: Int?, last: Int) throws {
        guard let newest else { return }
        let files = FileManager.default
        if newest != url {
            let names = try files.contentsOfDirectory(atPath: newest.path).sorted()
            for name in names where name != Self.configName { try link(name, from: newest) }
            try Self.synchronize(url)
            try link(Self.configName, from: newest)
            try Self.synchronize(url)
        }
        if let best, best != last, steps.contains(best) {
            let target = url.appending(path: Self.bestName)
            if files.fileExists(atPath: target.path) { try files.removeItem(at: target) }
            try files.moveItem(at: url.appending(path: "\(Self.prefix)\(best)"), to: target)
        }
        for name in try files.contentsOfDirectory(atPath: url.path) where name.hasPrefix(Self.prefix) {
            try files.removeItem(at: url.appending(path: name))
        }
    }

    private func link(_ name: String, from folder: URL) throws(CheckpointError) {
        let (source, target) = (folder.appending(path: name).path, url.appending(path: name).path)
        unlink(target)
        guard Glibc.link(source, target) == 0 else {
            throw .unwritable(file: target, reason: String(cString: strerror(errno)))
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
