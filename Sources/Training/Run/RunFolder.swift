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
    /// A checkpoint that cannot be read.
    private static let damaged = ".damaged"
    /// The checkpoint with the lowest held-out loss, when the run has ended with another one.
    private static let bestName = "best"
    private static let configName = "config.json"

    let url: URL
    /// `config.json` of the checkpoints, and the files of the tokenizer.
    private let config: JSONValue
    private let copied: [(name: String, data: Data)]
    /// The open folder, which has the lock.
    private let descriptor: Int32

    /// Creates the folder, if there is none, and removes what a killed run has left half written.
    ///
    /// - Parameter source: the folder with `config.json` and the files of the tokenizer. They are read once: all checkpoints of a
    ///   run have the same.
    /// - Throws: `CheckpointError.unwritable` if it has something else than a run, or if another run uses it; an error for a file
    ///   of `source` that cannot be read.
    init(_ url: URL, source: URL) throws {
        self.url = url
        var config = try ConfigReader.load(Self.configName, in: source)?.object ?? JSONObject()
        config["dtype"] = "float32"
        // Another name of the same.
        config["torch_dtype"] = nil
        // The weights of a new model are not quantized, whatever those of the configuration were.
        config["quantization_config"] = nil
        self.config = .object(config)
        var copied: [(name: String, data: Data)] = []
        for name in DocumentTokenizer.files
        where FileManager.default.fileExists(atPath: source.appending(path: name).path) {
            copied.append((name, try Data(contentsOf: source.appending(path: name))))
        }
        self.copied = copied
        do {
            try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        } catch {
            throw CheckpointError.unwritable(file: url.path, reason: error.localizedDescription)
        }
        descriptor = try Self.lock(url)
        let names = try FileManager.default.contentsOfDirectory(atPath: url.path)
        let isRun =
            names.contains { Self.step($0) != nil || $0 == Trainer.stateName }
            || names.contains(RunLog.name) && RunLog.isOfRun(url)
        guard names.isEmpty || isRun else {
            throw CheckpointError.unwritable(
                file: url.path, reason: "the output directory is not empty and has no run that could be resumed")
        }
        for name in names where Self.step(name) != nil && name.hasSuffix(Self.partial) {
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

    /// The step of the folder of a checkpoint, whether whole, partial or damaged; `nil` for other names.
    static func step(_ name: String) -> Int? {
        guard name.hasPrefix(prefix) else { return nil }
        var digits = name.dropFirst(prefix.count)
        for suffix in [partial, damaged] where digits.hasSuffix(suffix) { digits = digits.dropLast(suffix.count) }
        return digits.allSatisfy { ("0"..."9").contains($0) } ? Int(digits) : nil
    }

    private func checkpoint(_ step: Int) -> URL { url.appending(path: "\(Self.prefix)\(step)") }

    /// The checkpoints from which the run may go on, the newest first; only the folder itself if the run has finished.
    var checkpoints: [URL] {
        // The last file of a finished run.
        if FileManager.default.fileExists(atPath: url.appending(path: Self.configName).path) { return [url] }
        return steps.reversed().map(checkpoint)
    }

    /// Gives another name to checkpoints that cannot be read, so that the run can write those of their steps.
    func setAside(_ damaged: some Sequence<URL>) throws {
        for checkpoint in damaged {
            let target = checkpoint.path + Self.damaged
            if FileManager.default.fileExists(atPath: target) { try FileManager.default.removeItem(atPath: target) }
            try FileManager.default.moveItem(atPath: checkpoint.path, toPath: target)
        }
    }

    /// Checks that the disk has room for the checkpoints that a run has at the same time: those that it keeps, the one that it
    /// writes, and the best.
    ///
    /// - Parameters:
    ///   - bytes: of a checkpoint.
    ///   - count: those that the run is going to write.
    ///   - free: bytes; `nil` if the system does not say.
    /// - Throws: `CheckpointError.unwritable` with both sizes.
    func checkRoom(bytes: Int, count: Int, keepsBest: Bool, free: Int?) throws(CheckpointError) {
        let needed = bytes * min(count, max(Self.kept + 1 + (keepsBest ? 1 : 0) - steps.count, 1))
        guard let free, free < needed else { return }
        throw .unwritable(
            file: url.path,
            reason: "the run's checkpoints take up to \(needed >> 20) MiB; \(free >> 20) MiB of the disk are free")
    }

    /// Free bytes of the disk; `nil` if the system does not say.
    var freeBytes: Int? {
        let attributes = try? FileManager.default.attributesOfFileSystem(forPath: url.path)
        return (attributes?[.systemFreeSize] as? NSNumber)?.intValue
    }

    /// Writes the checkpoint of the current step, and removes older ones.
    func write(_ trainer: Trainer, _ progress: RunProgress, fingerprint: Fingerprint) throws {
        let files = FileManager.default
        let final = checkpoint(trainer.step)
        let partial = url.appending(path: final.lastPathComponent + Self.partial)
        guard !files.fileExists(atPath: final.path) else { return }
        if files.fileExists(atPath: partial.path) { try files.removeItem(at: partial) }
        try files.createDirectory(at: partial, withIntermediateDirectories: false)
        do {
            try trainer.writeState(to: partial, progress, fingerprint: fingerprint)
            try trainer.model.write(to: partial)
            for file in copied { try CheckpointWriter.write(file.data, to: file.name, in: partial) }
            try CheckpointWriter.write(config, to: Self.configName, in: partial)
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
        // Weights before skipped steps may be unusable.
        guard trainer.skippedInRow == 0 else { return }
        for step in steps.dropLast(Self.kept) where step != progress.statistics.best?.step {
            try files.removeItem(at: checkpoint(step))
        }
    }

    /// Makes the newest checkpoint that of the folder itself, with `config.json` last, and removes the others but the best. Does
    /// what is left after an interruption.
    ///
    /// - Parameters:
    ///   - best: the step of the best checkpoint, if there is one.
    ///   - last: that of the newest.
    func finish(best: Int?, last: Int) throws {
        guard let newest = checkpoints.first else { return }
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
            try files.moveItem(at: checkpoint(best), to: target)
        }
        for name in try files.contentsOfDirectory(atPath: url.path) where Self.step(name) != nil {
            try files.removeItem(at: url.appending(path: name))
        }
    }

    private func link(_ name: String, from folder: URL) throws {
        try Self.place(folder.appending(path: name), at: url.appending(path: name))
    }

    /// Makes a file appear at a second place, at once and whole: as a link, or as a copy where the file system has no links.
    ///
    /// - Parameter link: the system's function, which returns a number of an error.
    static func place(
        _ source: URL, at target: URL,
        link: (String, String) -> Int32 = { Glibc.link($0, $1) == 0 ? 0 : errno }
    ) throws {
        unlink(target.path)
        let failure = link(source.path, target.path)
        guard failure != 0 else { return }
        guard [EPERM, ENOTSUP, EOPNOTSUPP, EMLINK, ENOSYS].contains(failure) else {
            throw CheckpointError.unwritable(file: target.path, reason: String(cString: strerror(failure)))
        }
        let partial = URL(fileURLWithPath: target.path + Self.partial)
        unlink(partial.path)
        try FileManager.default.copyItem(at: source, to: partial)
        try synchronize(partial)
        guard rename(partial.path, target.path) == 0 else {
            throw CheckpointError.unwritable(file: target.path, reason: String(cString: strerror(errno)))
        }
    }

    /// The steps of whole checkpoints, ascending.
    private var steps: [Int] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? []
        return names.compactMap { name in Self.step(name).flatMap { name == "\(Self.prefix)\($0)" ? $0 : nil } }
            .sorted()
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
