import Foundation
import JSON

/// A part of a run with its own data and hyperparameters.
public struct TrainingStage: Sendable {
    /// The name, or `nil` for the only stage of a recipe without `stages`.
    public var name: String?
    var data: Data
    public var hyperparameters: Hyperparameters
    /// The prefix of its members in the recipe: `stages[0].`, or empty.
    let path: String

    /// Packed batches (``BatchFile``) or documents.
    enum Data: Sendable, Equatable {
        case batches(URL)
        case documents([Source], DocumentLoader.Options)

        /// Its member in the recipe.
        var name: String {
            switch self {
            case .batches: "batches"
            case .documents: "documents"
            }
        }

        var urls: [URL] {
            switch self {
            case .batches(let url): [url]
            case .documents(let sources, _): sources.map(\.url)
            }
        }
    }

    /// A file of documents.
    struct Source: Sendable, Equatable {
        enum Format: Sendable {
            /// A ``LineFile``.
            case lines
            /// A ``TokenFile``.
            case tokens
        }

        var format: Format
        var url: URL
        var weight = 1.0
        var targets = DocumentTokenizer.Targets.assistant
    }

    /// Reads one element of `stages`.
    init(_ reader: RecipeReader, number: Int, common: JSONObject, folder: URL) throws(TrainingError) {
        var reader = reader
        let name = try reader.string("name") ?? "stage \(number)"
        guard (1...64).contains(name.utf8.count) else { throw reader.invalid("name", "must have 1...64 bytes") }
        try self.init(&reader, name: name, common: common, folder: folder)
        try reader.finish()
    }

    /// Reads `documents` or `batches`, and `hyperparameters`.
    ///
    /// - Parameter common: the hyperparameters of all stages. Each may be overridden by the stage.
    init(_ reader: inout RecipeReader, name: String?, common: JSONObject, folder: URL) throws(TrainingError) {
        self.name = name
        path = reader.path("")
        var numbers = common
        if let own = reader.take("hyperparameters") {
            guard let own = own.object else { throw reader.invalid("hyperparameters", "must be an object") }
            // A hyperparameter of the stage also overrides the one that excludes it.
            for pair in [["steps", "tokens"], ["smebu", "auxfree"]] where pair.contains(where: { own[$0] != nil }) {
                for name in pair { numbers[name] = nil }
            }
            for (name, value) in own { numbers[name] = value }
        }
        var positions: Int?
        if let documents = try reader.object("documents") {
            guard !reader.has("batches") else {
                throw reader.invalid("documents", "cannot be given together with batches")
            }
            let (sources, options) = try documents.documents(folder: folder)
            data = .documents(sources, options)
            positions = options.positions
        } else if let batches = try reader.string("batches") {
            data = .batches(URL(fileURLWithPath: batches, relativeTo: folder).absoluteURL)
        } else {
            throw reader.invalid("batches", "is missing; give it, documents or stages")
        }
        if positions != nil, numbers["steps"]?.isNull ?? true, numbers["tokens"]?.isNull ?? true {
            throw reader.invalid("hyperparameters.steps", "is missing; give it or tokens")
        }
        hyperparameters = try Hyperparameters(
            parsing: .object(numbers), name: reader.path("hyperparameters"), positions: positions)
    }
}

extension RecipeReader {
    /// The maximum total size of the buffers of all streams. The checkpoint may contain twice as many documents.
    private static let mostBuffered = 1 << 20
    private static let mostSources = 64

    /// Reads the object `documents`: `{"sources": [...], "packing", "length", "rows", "micro_batches", "buffer", "seed"}`, or
    /// `tokens` with one file instead of `sources`.
    fileprivate func documents(
        folder: URL
    ) throws(TrainingError) -> ([TrainingStage.Source], DocumentLoader.Options) {
        var reader = self
        var sources: [TrainingStage.Source] = []
        if let tokens = try reader.string("tokens") {
            guard !reader.has("sources") else {
                throw reader.invalid("tokens", "cannot be given together with sources")
            }
            sources = [.init(format: .tokens, url: URL(fileURLWithPath: tokens, relativeTo: folder).absoluteURL)]
        } else {
            guard let readers = try reader.objects("sources", atMost: Self.mostSources) else {
                throw reader.invalid("sources", "is missing")
            }
            for source in readers { sources.append(try source.source(folder: folder)) }
        }
        var options = DocumentLoader.Options()
        options.packing = try reader.choice("packing", of: DocumentLoader.Packing.self) ?? options.packing
        options.length = try reader.integer("length", in: 2...1 << 20) ?? options.length
        let mostRows = BatchFile.mostPositions / options.length
        options.rows = try reader.integer("rows", in: 1...mostRows) ?? min(options.rows, mostRows)
        // All batches of a step are in memory at the same time.
        let mostBatches = max(min(4096, mostRows / options.rows), 1)
        options.microBatches =
            try reader.integer("micro_batches", in: 1...mostBatches) ?? min(options.microBatches, mostBatches)
        options.buffer =
            try reader.integer("buffer", in: 1...Self.mostBuffered / options.microBatches) ?? options.buffer
        options.seed = UInt64(try reader.integer("seed", in: 0...Int.max) ?? 0)
        try reader.finish()
        return (sources, options)
    }

    /// Reads `{"jsonl": FILE or "tokens": FILE, "weight", "targets"}`.
    func source(folder: URL) throws(TrainingError) -> TrainingStage.Source {
        var reader = self
        let (lines, tokens) = (try reader.string("jsonl"), try reader.string("tokens"))
        guard let path = lines ?? tokens else { throw reader.invalid("jsonl", "is missing; give it or tokens") }
        guard lines == nil || tokens == nil else {
            throw reader.invalid("tokens", "cannot be given together with jsonl")
        }
        var source = TrainingStage.Source(
            format: lines == nil ? .tokens : .lines, url: URL(fileURLWithPath: path, relativeTo: folder).absoluteURL)
        source.weight = try reader.number("weight", in: 1e-6...1e6) ?? source.weight
        source.targets = try reader.choice("targets", of: DocumentTokenizer.Targets.self) ?? source.targets
        try reader.finish()
        return source
    }
}
