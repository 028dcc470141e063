import Basics
import Foundation
import JSON

/// What `trinity train` does: `{"initial": FOLDER, "batches": FILE, "hyperparameters": {...}}`, or with `documents` instead of
/// `batches`.
public struct Recipe: Sendable {
    /// The folder of the checkpoint with the initial weights.
    public var initial: URL
    /// Draws the initial weights instead of reading them; `initial` has only the configuration.
    public var seed: UInt64?
    var data: Data
    public var hyperparameters: Hyperparameters
    /// The whole recipe as it was given.
    let json: JSONValue
    /// Steps between two checkpoints; `nil`: only at the end.
    public var checkpointInterval: Int?

    /// Packed batches (``BatchFile``), or documents (``TokenFile``).
    enum Data: Sendable, Equatable {
        case batches(URL)
        case documents(URL, DocumentLoader.Options)

        var url: URL {
            switch self {
            case .batches(let url), .documents(let url, _): url
            }
        }
    }

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
        let folder = url.deletingLastPathComponent()
        self.initial = URL(fileURLWithPath: initial, relativeTo: folder).absoluteURL
        seed = try reader.integer("seed", in: 0...Int.max).map { UInt64($0) }
        hyperparameters = try Hyperparameters(parsing: reader.take("hyperparameters") ?? [:])
        if let documents = try reader.object("documents") {
            guard !reader.has("batches") else {
                throw reader.invalid("documents", "cannot be given together with batches")
            }
            guard hyperparameters.steps != nil else { throw reader.invalid("hyperparameters.steps", "is missing") }
            data = try Data(documents, folder: folder)
        } else if let batches = try reader.string("batches") {
            data = .batches(URL(fileURLWithPath: batches, relativeTo: folder).absoluteURL)
        } else {
            throw reader.invalid("batches", "is missing")
        }
        self.json = json
        checkpointInterval = try reader.integer("checkpoint_interval", in: 1...1 << 40)
        try reader.finish()
    }
}

extension Recipe.Data {
    /// The largest sum of the sizes of all streams' buffers; the checkpoint has twice as many documents.
    private static let mostBuffered = 1 << 20

    /// `{"tokens": FILE, "packing", "length", "rows", "micro_batches", "buffer", "seed"}`.
    fileprivate init(_ reader: RecipeReader, folder: URL) throws(TrainingError) {
        var reader = reader
        guard let tokens = try reader.string("tokens") else { throw reader.invalid("tokens", "is missing") }
        var options = DocumentLoader.Options()
        if let name = try reader.string("packing") {
            guard let packing = DocumentLoader.Packing(rawValue: name) else {
                let names = DocumentLoader.Packing.allCases.map(\.rawValue).joined(separator: ", ")
                throw reader.invalid("packing", "must be one of \(names)")
            }
            options.packing = packing
        }
        options.length = try reader.integer("length", in: 2...1 << 20) ?? options.length
        let mostRows = BatchFile.mostPositions / options.length
        options.rows = try reader.integer("rows", in: 1...mostRows) ?? min(options.rows, mostRows)
        // A step's batches are in memory together.
        let mostBatches = max(min(4096, mostRows / options.rows), 1)
        options.microBatches =
            try reader.integer("micro_batches", in: 1...mostBatches) ?? min(options.microBatches, mostBatches)
        options.buffer =
            try reader.integer("buffer", in: 1...Self.mostBuffered / options.microBatches) ?? options.buffer
        options.seed = UInt64(try reader.integer("seed", in: 0...Int.max) ?? 0)
        try reader.finish()
        self = .documents(URL(fileURLWithPath: tokens, relativeTo: folder).absoluteURL, options)
    }
}
