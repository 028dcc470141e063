import Basics
import Checkpoints
import Engine
import Foundation
import JSON

/// The state of a run in addition to the weights: `optimizer.safetensors` and `trainer.json`.
extension Trainer {
    static let stateName = "trainer.json"
    static let optimizerName = "optimizer.safetensors"
    private static let format = 2
    /// The maximum size of `trainer.json` in bytes. Each buffered document takes about 50.
    private static let largestState = 1 << 28

    /// Writes both files.
    ///
    /// - Parameter fingerprint: the inputs that must be unchanged when the run is resumed.
    func writeState(to folder: URL, _ progress: RunProgress, fingerprint: Fingerprint) throws {
        let parameters = trained
        var entries: [CheckpointWriter.Entry] = []
        for parameter in parameters {
            for part in parts(of: parameter) {
                entries.append(CheckpointWriter.Entry(name: part.name, type: .float32, shape: parameter.shape))
            }
        }
        for index in biasMomentum.indices {
            entries.append(
                CheckpointWriter.Entry(name: momentumName(index), type: .float32, shape: [model.config.experts]))
        }
        // The writer chooses the file name, so the file is renamed below.
        var writer = try CheckpointWriter(directory: folder, entries: entries, shardBytes: .max)
        for parameter in parameters {
            for part in parts(of: parameter) { try writer.append(part.tensors.bytes(parameter)) }
        }
        for momentum in biasMomentum {
            let values = Buffer(momentum)
            try writer.append(UnsafeRawBufferPointer(values.contents))
            withExtendedLifetime(values) {}
        }
        try writer.finish()
        try FileManager.default.moveItem(
            at: folder.appending(path: StoredTensors.singleName), to: folder.appending(path: Self.optimizerName))
        let state: JSONObject = [
            "format": .integer(Self.format), "step": .integer(step), "updates": .integer(updates),
            "skipped_in_row": .integer(skippedInRow), "loader": progress.loader,
            "statistics": try progress.statistics.json, "fingerprint": .object(fingerprint.json),
        ]
        try CheckpointWriter.write(.object(state), to: Self.stateName, in: folder)
    }

    /// Restores the state written by ``writeState(to:_:fingerprint:)``. The weights are loaded with the model.
    ///
    /// - Throws: `TrainingError.resume` with the field that differs, if it is the state of another run; `TrainingError.file` or
    ///   `CheckpointError` for a damaged file.
    func readState(from folder: URL, fingerprint: Fingerprint) throws -> RunProgress {
        let state: JSONValue
        let path = folder.appending(path: Self.stateName).path
        do {
            state = try JSONValue(parsing: RegularFile.read(path, atMost: Self.largestState))
        } catch {
            throw TrainingError.file(path, reason: "cannot be read: \(error)")
        }
        guard state["format"]?.integer == Self.format else {
            throw TrainingError.resume(field: "format", reason: "is not \(Self.format)")
        }
        if let field = fingerprint.difference(from: state["fingerprint"]) {
            throw TrainingError.resume(field: field, reason: "differs from that of the run in \(folder.path)")
        }
        func count(_ field: String) throws(TrainingError) -> Int {
            guard let value = state[field]?.integer, value >= 0 else {
                throw .file(path, reason: "\(field) is not a number from 0")
            }
            return value
        }
        let file = folder.appending(path: Self.optimizerName)
        let tensors = try SafetensorsFile(file).tensors
        func copy(_ name: String, _ shape: [Int], to target: UnsafeMutablePointer<Float>) throws(TrainingError) {
            if let problem = StoredTensor.problem(name, shape, in: tensors) {
                throw .file(file.path, reason: problem)
            }
            guard tensors[name]?.copyFiniteFloats(to: target) == true else {
                throw .file(file.path, reason: "\(name) has numbers that are not finite")
            }
        }
        for parameter in trained {
            for part in parts(of: parameter) {
                try copy(part.name, parameter.shape, to: part.tensors.pointer(parameter))
            }
        }
        for index in biasMomentum.indices {
            let momentum = Buffer(biasMomentum[index])
            try copy(momentumName(index), [model.config.experts], to: momentum.base)
            biasMomentum[index] = Array(momentum.contents)
        }
        (step, updates, skippedInRow) = (try count("step"), try count("updates"), try count("skipped_in_row"))
        guard let progress = RunProgress(state) else {
            throw TrainingError.file(path, reason: "statistics cannot be read")
        }
        return progress
    }

    private func parts(of parameter: Parameter) -> [(name: String, tensors: TrainedTensors)] {
        if parameter.kind == .matrix { return [("muon.m/\(parameter.name)", firstMoments)] }
        return [("adamw.m/\(parameter.name)", firstMoments), ("adamw.v/\(parameter.name)", secondMoments)]
    }

    private func momentumName(_ index: Int) -> String { "smebu.m/\(model.config.denseLayers + index)" }
}

/// The state of a run in addition to the state of the trainer.
struct RunProgress {
    /// The state of the batch source, or null between stages.
    var loader = JSONValue.null
    var statistics = RunStatistics()

    init() {}

    /// Creates the progress from JSON, or returns `nil` if the statistics cannot be read.
    init?(_ state: JSONValue) {
        loader = state["loader"] ?? .null
        let text = (state["statistics"] ?? .null).serialized
        guard let statistics = try? JSONDecoder().decode(RunStatistics.self, from: Data(text)) else { return nil }
        self.statistics = statistics
    }
}

extension RunStatistics {
    fileprivate var json: JSONValue {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = .sortedKeys
            return try JSONValue(parsing: [UInt8](encoder.encode(self)))
        }
    }
}
