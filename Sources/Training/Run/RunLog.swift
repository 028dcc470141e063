import Basics
import Checkpoints
import Foundation
import JSON

/// The log in the output folder: one line of JSON for each step and each measurement of held-out data. A resumed run removes the
/// lines of steps that it repeats.
final class RunLog {
    static let name = "log.jsonl"

    private let file: FileHandle
    private let path: String

    /// - Parameter step: the number of steps whose lines are kept.
    /// - Throws: `CheckpointError.unwritable`.
    init(_ folder: URL, step: Int) throws(CheckpointError) {
        let url = folder.appending(path: Self.name)
        path = url.path
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o644)
        guard descriptor >= 0 else { throw .unwritable(file: path, reason: String(cString: strerror(errno))) }
        file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        let end = Self.end(of: url, step: step)
        guard ftruncate(descriptor, off_t(end)) == 0, lseek(descriptor, off_t(end), SEEK_SET) >= 0 else {
            throw .unwritable(file: path, reason: String(cString: strerror(errno)))
        }
    }

    /// Whether the log in a folder was written by a run, or is missing or empty.
    static func isOfRun(_ folder: URL) -> Bool {
        guard let file = try? MappedFile(folder.appending(path: name)), !file.bytes.isEmpty else { return true }
        var isOfRun = false
        forEachLine(of: folder.appending(path: name)) { line, _ in
            isOfRun = line["step"]?.integer != nil
            return false
        }
        return isOfRun
    }

    /// - Throws: `CheckpointError.unwritable`.
    func write(_ line: JSONValue) throws(CheckpointError) {
        do { try file.write(contentsOf: Data(line.serialized + [UInt8(ascii: "\n")])) } catch {
            throw .unwritable(file: path, reason: "\(error)")
        }
    }

    /// Calls `body` for the complete lines of a log, in order, until it returns false or a line is not JSON.
    static func forEachLine(of url: URL, _ body: (JSONValue, _ end: Int) -> Bool) {
        guard let file = try? MappedFile(url) else { return }
        var start = 0
        withExtendedLifetime(file) {
            while start < file.bytes.count, let end = file.bytes[start...].firstIndex(of: UInt8(ascii: "\n")) {
                guard let line = try? JSONValue(parsing: Array(file.bytes[start..<end])), body(line, end + 1) else {
                    return
                }
                start = end + 1
            }
        }
    }

    /// Returns the end of the lines of the first `step` steps.
    private static func end(of url: URL, step: Int) -> Int {
        var kept = 0
        forEachLine(of: url) { line, end in
            guard let own = line["step"]?.integer else { return false }
            guard line["held_out_loss"] == nil ? own < step : own <= step else { return false }
            kept = end
            return true
        }
        return kept
    }
}
