import Checkpoints
import Foundation
import JSON

/// The output folder of a run. While the run is going on, it contains checkpoints in `step-N`; at the end, it is a checkpoint
/// itself.
///
/// A checkpoint is written to `step-N.partial`, synchronized to disk and renamed, so a killed run continues from the last
/// complete checkpoint. The folder is locked for the lifetime of this object.
final class RunFolder {
    /// The number of checkpoints kept during a run.
    private static let kept = 2
    private static let prefix = "step-"
    private static let partial = ".partial"
    /// The suffix of a checkpoint that cannot be read.
    private static let damaged = ".damaged"
    /// The folder of the checkpoint with the lowest held-out loss, if it is not the last checkpoint of the run.
    private static let bestName = "best"
    private static let configName = "config.json"

    let url: URL
    /// `config.json` of the checkpoints, and the tokenizer files.
    private let config: JSONValue
    private let copied: [(name: String, data: Data)]
    /// The descriptor of the open folder, which holds the lock.
    private let descriptor: Int32

    /// Creates the folder if it does not exist, and removes incomplete files of a killed run.
    ///
    /// - Parameter source: the folder with `config.json` and the tokenizer files. They are read once, so all checkpoints of a run
    ///   have the same ones.
    /// - Throws: `CheckpointError.unwritable` if the folder contains something other than a run, or if another run uses it; an
    ///   error for a file of `source` that cannot be read.
    init(_ url: URL, source: URL) throws {
        self.url = url
        var config = try ConfigReader.load(Self.configName, in: source)?.object ?? JSONObject()
        config["dtype"] = "float32"
        // An alias of `dtype`.
        config["torch_dtype"] = nil
        // The weights are written in float32, even if the configuration describes quantized weights.
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

    /// Opens a folder and takes an exclusive lock against other processes.
    private static func lock(_ url: URL) throws(CheckpointError) -> Int32 {
        let descriptor = open(url.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .unwritable(file: url.path, reason: String(cString: strerror(errno))) }
        // On a file system without locks, the lock is skipped.
        if flock(descriptor, LOCK_EX | LOCK_NB) != 0, errno == EWOULDBLOCK {
            close(descriptor)
            throw .unwritable(file: url.path, reason: "another run uses the output directory")
        }
        return descriptor
    }

    /// Returns the step in the name of a checkpoint folder, whether complete, partial or damaged, or `nil` for other names.
    static func step(_ name: String) -> Int? {
        guard name.hasPrefix(prefix) else { return nil }
        var digits = name.dropFirst(prefix.count)
        for suffix in [partial, damaged] where digits.hasSuffix(suffix) { digits = digits.dropLast(suffix.count) }
        return digits.allSatisfy { ("0"..."9").contains($0) } ? Int(digits) : nil
    }

    private func checkpoint(_ step: Int) -> URL { url.appending(path: "\(Self.prefix)\(step)") }

    /// The checkpoints from which the run can continue, newest first. If the run has finished, only the folder itself.
    var checkpoints: [URL] {
        // `config.json` is the last file that a finished run writes.
        if FileManager.default.fileExists(atPath: url.appending(path: Self.configName).path) { return [url] }
        return steps.reversed().map(checkpoint)
    }

    /// Renames checkpoints that cannot be read, so that the run can write new ones for their steps.
    func setAside(_ damaged: some Sequence<URL>) throws {
        for checkpoint in damaged {
            let target = checkpoint.path + Self.damaged
            if FileManager.default.fileExists(atPath: target) { try FileManager.default.removeItem(atPath: target) }
            try FileManager.default.moveItem(atPath: checkpoint.path, toPath: target)
        }
    }

    /// Checks that the disk has room for the checkpoints that exist at the same time: those that are kept, the one being written,
    /// and the best one.
    ///
    /// - Parameters:
    ///   - bytes: the size of a checkpoint.
    ///   - count: the number of checkpoints that the run will write.
    ///   - free: the number of free bytes, or `nil` if unknown.
    /// - Throws: `CheckpointError.unwritable` with both sizes.
    func checkRoom(bytes: Int, count: Int, keepsBest: Bool, free: Int?) throws(CheckpointError) {
        let needed = bytes * min(count, max(Self.kept + 1 + (keepsBest ? 1 : 0) - steps.count, 1))
        guard let free, free < needed else { return }
        throw .unwritable(
            file: url.path,
            reason: "the run's checkpoints take up to \(needed >> 20) MiB; \(free >> 20) MiB of the disk are free")
    }

    /// The number of free bytes on the disk, or `nil` if unknown.
    var freeBytes: Int? {
        let attributes = try? FileManager.default.attributesOfFileSystem(forPath: url.path)
        return (attributes?[.systemFreeSize] as? NSNumber)?.intValue
    }

    /// Writes a checkpoint of the current step and removes older ones.
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
            // An incomplete checkpoint takes space that the disk may not have.
            try? files.removeItem(at: partial)
            throw error
        }
        try files.moveItem(at: partial, to: final)
        try Self.synchronize(url)
        // After skipped steps the weights may be unusable, so older checkpoints are kept.
        guard trainer.skippedInRow == 0 else { return }
        for step in steps.dropLast(Self.kept) where step != progress.statistics.best?.step {
            try files.removeItem(at: checkpoint(step))
        }
    }

    /// Moves the checkpoint of a finished run, and its best one, back to `step-N`, because the run goes on with further stages. After
    /// an interruption, does what remains.
    ///
    /// - Parameters:
    ///   - step: the step of the checkpoint in the folder itself.
    ///   - best: the step of the best checkpoint, if there is one.
    func reopen(step: Int, best: Int?) throws {
        let files = FileManager.default
        let target = checkpoint(step)
        if !files.fileExists(atPath: target.path) {
            let partial = url.appending(path: target.lastPathComponent + Self.partial)
            try files.createDirectory(at: partial, withIntermediateDirectories: false)
            for name in try files.contentsOfDirectory(atPath: url.path).sorted()
            where ["json", "jinja", "safetensors"].contains(URL(fileURLWithPath: name).pathExtension) {
                try Self.place(url.appending(path: name), at: partial.appending(path: name))
            }
            try Self.synchronize(partial)
            try files.moveItem(at: partial, to: target)
        }
        let kept = url.appending(path: Self.bestName)
        if let best, files.fileExists(atPath: kept.path), !steps.contains(best) {
            try files.moveItem(at: kept, to: checkpoint(best))
        }
        try Self.synchronize(url)
        // Without it, the folder itself is no checkpoint.
        try files.removeItem(at: url.appending(path: Self.configName))
        try Self.synchronize(url)
    }

    /// Places the newest checkpoint in the folder itself, `config.json` last, and removes the other checkpoints except the best.
    /// After an interruption, does what remains.
    ///
    /// - Parameters:
    ///   - best: the step of the best checkpoint, if there is one.
    ///   - last: the step of the newest checkpoint.
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

    /// Makes a complete file appear at a second path: as a hard link, or as a copy if the file system has no links.
    ///
    /// - Parameter link: the system call, which returns an error number or 0.
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

    /// The steps of complete checkpoints, in ascending order.
    private var steps: [Int] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? []
        return names.compactMap { name in Self.step(name).flatMap { name == "\(Self.prefix)\($0)" ? $0 : nil } }
            .sorted()
    }

    /// Waits until a file, or the entries of a folder, are written to disk.
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
