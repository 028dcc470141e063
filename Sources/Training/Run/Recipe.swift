import Basics
import Foundation
import JSON

/// What `trinity train` does: `{"initial": FOLDER, "batches": FILE, "hyperparameters": {...}}`.
public struct Recipe: Sendable {
    /// The folder of the checkpoint with the initial weights.
    public var initial: URL
    /// See ``BatchFile``.
    public var batches: URL
    public var hyperparameters: Hyperparameters
    /// The recipe's hyperparameters as they were given, to recognize the same run.
    let json: JSONValue
    /// Steps between two checkpoints; `nil`: only at the end.
    public var checkpointInterval: Int?

    /// Maximum size of a recipe in bytes.
    private static let largestFile = 1 << 20

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
        var reader = try RecipeReader(json, name: "")
        guard let initial = try reader.string("initial") else { throw reader.invalid("initial", "is missing") }
        guard let batches = try reader.string("batches") else { throw reader.invalid("batches", "is missing") }
        let folder = url.deletingLastPathComponent()
        self.initial = URL(fileURLWithPath: initial, relativeTo: folder).absoluteURL
        self.batches = URL(fileURLWithPath: batches, relativeTo: folder).absoluteURL
        self.json = reader.take("hyperparameters") ?? [:]
        hyperparameters = try Hyperparameters(parsing: self.json)
        checkpointInterval = try reader.integer("checkpoint_interval", in: 1...1 << 40)
        try reader.finish()
    }
}
