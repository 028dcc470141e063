import Basics
import Foundation
import JSON

/// The input of `trinity train`: stages with documents, or `{"initial": FOLDER, "batches": FILE, "hyperparameters": {...}}`.
public struct Recipe: Sendable {
    /// The folder of the checkpoint with the initial weights.
    public var initial: URL
    /// The seed for random initial weights, or `nil` to read them. With a seed, `initial` needs only the configuration and
    /// tokenizer.
    public var seed: UInt64?
    /// The stages in order. A recipe without `stages` has one stage.
    public var stages: [TrainingStage]
    /// Name patterns of the tensors that do not change.
    var freeze: [String] = []
    /// The held-out data, or `nil` if no held-out loss is measured.
    var heldOut: HeldOut?
    /// The whole recipe as given.
    let json: JSONValue
    /// The folder of the recipe, from which relative paths start.
    let folder: URL
    /// The number of steps between checkpoints. `nil` means a tenth of the run, at most 1,000.
    var checkpointInterval: Int?
    /// The number of documents that each micro-batch may skip in each stage, because they cannot be tokenized.
    var skippedDocuments = 0

    /// Held-out data, whose loss is measured.
    struct HeldOut: Sendable {
        var source: TrainingStage.Source
        /// The number of steps between measurements. The loss is also measured before each checkpoint.
        var interval: Int
    }

    /// The maximum size of a recipe in bytes.
    private static let largestFile = 1 << 20
    private static let mostStages = 64
    private static let mostPatterns = 256
    private static let mostSkipped = 1_000_000

    /// Reads a recipe. Relative paths are relative to its folder.
    ///
    /// - Throws: `TrainingError.recipe` with the field.
    public init(_ url: URL) throws {
        let json: JSONValue
        do {
            json = try JSONValue(
                parsing: RegularFile.read(url.path, atMost: Self.largestFile).withoutByteOrderMark,
                limits: JSONLimits(refusesRepeatedNames: true))
        } catch {
            throw TrainingError.recipe(field: "file \(url.path)", reason: "cannot be read: \(error)")
        }
        try self.init(parsing: json, folder: url.deletingLastPathComponent())
    }

    /// - Parameter folder: the folder that relative paths start from.
    /// - Throws: `TrainingError.recipe` with the field.
    init(parsing json: JSONValue, folder: URL) throws(TrainingError) {
        var reader = try RecipeReader(json, name: "")
        guard let initial = try reader.string("initial") else { throw reader.invalid("initial", "is missing") }
        self.initial = URL(fileURLWithPath: initial, relativeTo: folder).absoluteURL
        seed = try reader.integer("seed", in: 0...Int.max).map { UInt64($0) }
        checkpointInterval = try reader.integer("checkpoint_interval", in: 1...1 << 40)
        skippedDocuments = try reader.integer("skip_documents", in: 0...Self.mostSkipped) ?? skippedDocuments
        if let patterns = reader.take("freeze") {
            let names = (patterns.array ?? []).compactMap(\.string)
            guard let array = patterns.array, names.count == array.count, names.count <= Self.mostPatterns else {
                throw reader.invalid("freeze", "must be an array of at most \(Self.mostPatterns) strings")
            }
            freeze = names
        }
        if var heldOut = try reader.object("held_out") {
            guard let interval = try heldOut.integer("interval", in: 1...1 << 40) else {
                throw heldOut.invalid("interval", "is missing")
            }
            self.heldOut = HeldOut(source: try heldOut.source(folder: folder), interval: interval)
        }
        if let stages = try reader.objects("stages", atMost: Self.mostStages) {
            for name in ["documents", "batches"] where reader.has(name) {
                throw reader.invalid(name, "cannot be given together with stages")
            }
            let common = reader.take("hyperparameters") ?? [:]
            guard common.object != nil else { throw reader.invalid("hyperparameters", "must be an object") }
            // Checked here, so that errors name the field as it is in the recipe. The steps may be given in each stage.
            var checked = common.object ?? JSONObject()
            if checked["steps"] == nil, checked["tokens"] == nil { checked["steps"] = 1 }
            for name in Hyperparameters.descriptive { checked[name] = nil }
            _ = try Hyperparameters(
                parsing: .object(checked), name: "hyperparameters", positions: 1, checksSchedule: false)
            self.stages = []
            for (index, stage) in stages.enumerated() {
                self.stages.append(
                    try TrainingStage(stage, number: index + 1, common: common.object ?? JSONObject(), folder: folder))
            }
        } else {
            stages = [try TrainingStage(&reader, name: nil, common: JSONObject(), folder: folder)]
        }
        (self.json, self.folder) = (json, folder)
        try reader.finish()
    }

    /// The URLs of all data files.
    var urls: [URL] { stages.flatMap(\.data.urls) + (heldOut.map { [$0.source.url] } ?? []) }
}
