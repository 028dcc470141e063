import Basics
import Foundation
import JSON

/// What `trinity train` does: stages with documents, or `{"initial": FOLDER, "batches": FILE, "hyperparameters": {...}}`.
public struct Recipe: Sendable {
    /// The folder of the checkpoint with the initial weights.
    public var initial: URL
    /// Draws the initial weights instead of reading them; `initial` has only the configuration and the tokenizer.
    public var seed: UInt64?
    /// In their order; a recipe without `stages` has one.
    public var stages: [TrainingStage]
    /// Patterns of the names of tensors that do not change.
    var freeze: [String] = []
    /// `nil`: no held-out loss is measured.
    var heldOut: HeldOut?
    /// The whole recipe as it was given.
    let json: JSONValue
    /// Steps between two checkpoints; `nil`: a tenth of the run, and at most 1,000.
    var checkpointInterval: Int?
    /// Documents that each micro-batch may leave out, in each stage, because they cannot be tokenized.
    var skippedDocuments = 0

    /// Data whose loss is measured.
    struct HeldOut: Sendable {
        var source: TrainingStage.Source
        /// Steps between two measurements. One is made before each checkpoint too.
        var interval: Int
    }

    /// Maximum size of a recipe in bytes.
    private static let largestFile = 1 << 20
    private static let mostStages = 64
    private static let mostPatterns = 256
    private static let mostSkipped = 1_000_000

    /// Reads a recipe; relative paths are relative to its folder.
    ///
    /// - Throws: `TrainingError.recipe` with the field.
    public init(_ url: URL) throws {
        let json: JSONValue
        do {
            json = try JSONValue(parsing: RegularFile.read(url.path, atMost: Self.largestFile))
        } catch {
            throw TrainingError.recipe(field: "file \(url.path)", reason: "cannot be read: \(error)")
        }
        try self.init(parsing: json, folder: url.deletingLastPathComponent())
    }

    /// - Parameter folder: of relative paths.
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
            // Errors name it as it is in the recipe. The steps may be those of each stage.
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
        self.json = json
        try reader.finish()
    }

    /// All files of data.
    var urls: [URL] { stages.flatMap(\.data.urls) + (heldOut.map { [$0.source.url] } ?? []) }
}
