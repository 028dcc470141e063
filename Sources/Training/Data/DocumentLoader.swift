import Foundation
import JSON

/// Packs documents into micro-batches. Each micro-batch of a step reads its own stream of documents.
final class DocumentLoader {
    /// The algorithm that packs documents into rows.
    enum Packing: String, Sendable, CaseIterable {
        case sequential, rsdb, greedy
    }

    /// The sizes of a step, and the packing and order of documents.
    struct Options: Sendable, Equatable {
        var packing = Packing.rsdb
        /// The number of positions in a row.
        var length = 1024
        /// The number of rows in a micro-batch.
        var rows = 4
        var microBatches = 4
        /// The number of documents that the buffer of `rsdb` holds at least, or that `greedy` chooses from.
        var buffer = 256
        var seed: UInt64 = 0

        /// The number of positions in a step.
        var positions: Int { length * rows * microBatches }
    }

    /// The maximum number of documents that are tokenized ahead, for all streams together.
    private static let mostAhead = 1024

    private let options: Options
    private let streams: [DocumentStream]
    private let workers = DocumentWorkers(capacity: mostAhead)
    /// The states of the streams after the last complete step.
    private var states: [DocumentStream.State]
    /// The states of the streams after the step before that.
    private var earlierStates: [DocumentStream.State]

    /// - Parameters:
    ///   - skipLimit: the number of unusable documents that each stream may skip.
    ///   - path: the path of the object that contains `documents` in the recipe.
    init(
        _ sources: [DocumentSource], _ options: Options, skipLimit: Int = 0, path: String = "",
        cpus: Int = ProcessInfo.processInfo.activeProcessorCount
    ) throws(TrainingError) {
        try Self.check(sources, options, path: path)
        self.options = options
        streams = (0..<options.microBatches).map { [workers] in
            DocumentStream(
                $0, of: options.microBatches, sources: sources, options: options, skipLimit: skipLimit, workers: workers
            )
        }
        states = streams.map(\.state)
        earlierStates = states
        if sources.contains(where: { $0.job(0) != nil }) {
            workers.start(threads: DocumentWorkers.threadCount(cpus: cpus))
        }
    }

    deinit {
        workers.stop()
    }

    /// Checks that each stream has at least one token from each source. Otherwise the search for a token would not end.
    ///
    /// - Parameter path: the path of the object that contains `documents` in the recipe.
    /// - Throws: `TrainingError.recipe`, with the source and the reason.
    static func check(_ sources: [DocumentSource], _ options: Options, path: String = "") throws(TrainingError) {
        for (index, source) in sources.enumerated() {
            let field = "\(path)documents.sources[\(index)]"
            guard source.count >= options.microBatches else {
                throw .recipe(
                    field: field,
                    reason: "has \(source.count) documents, fewer than the \(options.microBatches) micro_batches")
            }
            for stream in 0..<options.microBatches where !source.hasTokens(stream: stream, of: options.microBatches) {
                throw .recipe(field: field, reason: "has only empty documents for micro-batch \(stream)")
            }
        }
    }

    /// Returns the micro-batches of the next step. Epochs repeat without end.
    ///
    /// - Throws: `TrainingError.line` for a document that cannot be used. ``state()`` then still describes the previous step.
    func next() throws(TrainingError) -> [PackedBatch] {
        var batches: [PackedBatch] = []
        for stream in streams {
            var rows: [[PackedBatch.Slot]] = []
            for _ in 0..<options.rows { rows.append(try stream.nextRow()) }
            batches.append(PackedBatch(rows: rows))
        }
        (earlierStates, states) = (states, streams.map(\.state))
        return batches
    }

    /// The number of unusable documents skipped so far.
    var skipped: Int { states.reduce(0) { $0 + ($1.place.skipped ?? 0) } }

    /// Resets ``state()`` to the previous step, after a step that failed. The loader cannot read further batches afterwards.
    func takeBack() { states = earlierStates }

    /// Returns the positions in all streams, as JSON.
    func state() throws -> JSONValue {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return try JSONValue(parsing: [UInt8](encoder.encode(states)))
    }

    /// Continues with the rows that follow ``state()``.
    ///
    /// - Throws: `TrainingError.resume` if the state does not fit the documents.
    func restore(_ state: JSONValue) throws(TrainingError) {
        let restored = try? JSONDecoder().decode([DocumentStream.State].self, from: Data(state.serialized))
        guard let restored, restored.count == streams.count else {
            throw .resume(field: "loader", reason: "has not \(streams.count) streams")
        }
        for (stream, state) in zip(streams, restored) { try stream.restore(state, options) }
        (states, earlierStates) = (restored, restored)
    }
}
