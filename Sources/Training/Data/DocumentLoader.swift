import Foundation
import JSON

/// Packs the documents of a file into micro-batches. Each micro-batch of a step has a stream of its own.
struct DocumentLoader {
    /// How documents become rows.
    enum Packing: String, CaseIterable {
        case sequential, rsdb, greedy
    }

    /// The sizes of a step, and the order of documents.
    struct Options: Sendable, Equatable {
        var packing = Packing.rsdb
        /// Positions of a row.
        var length = 1024
        /// Rows of a micro-batch.
        var rows = 4
        var microBatches = 4
        /// Documents that the buffer of `rsdb` holds at least, and that `greedy` chooses from.
        var buffer = 256
        var seed: UInt64 = 0
    }

    private let file: TokenFile
    private let options: Options
    private var orders: [DocumentOrder]
    private var packings: [DocumentPacking]

    /// - Throws: `TrainingError.batches` if a stream has no token.
    init(_ file: TokenFile, _ options: Options) throws(TrainingError) {
        (self.file, self.options) = (file, options)
        guard file.documents >= options.microBatches else {
            throw .batches(
                tensor: "offsets", reason: "has \(file.documents) documents for \(options.microBatches) micro-batches")
        }
        orders = (0..<options.microBatches).map {
            DocumentOrder(
                stream: $0, streams: options.microBatches, documents: file.documents, seed: options.seed)
        }
        packings = (0..<options.microBatches).map { DocumentPacking(options, stream: $0) }
        for stream in 0..<options.microBatches {
            let documents = stride(from: stream, to: file.documents, by: options.microBatches)
            // The search for a document with tokens would not end.
            guard documents.contains(where: { file.length(of: $0) > 0 }) else {
                throw .batches(tensor: "offsets", reason: "has only empty documents for micro-batch \(stream)")
            }
        }
    }

    /// The micro-batches of the next step. Epochs follow each other without an end.
    mutating func next() throws(TrainingError) -> [PackedBatch] {
        var batches: [PackedBatch] = []
        for stream in packings.indices {
            var rows: [[PackedBatch.Slot]] = []
            for _ in 0..<options.rows {
                let pieces = packings[stream].nextRow { file.length(of: orders[stream].document($0)) } ?? []
                var row: [PackedBatch.Slot] = []
                for (number, piece) in pieces.enumerated() {
                    let document = orders[stream].document(piece.document)
                    for token in piece.start..<piece.end {
                        row.append(try file.slot(document: document, token: token, number: number))
                    }
                }
                rows.append(row)
            }
            batches.append(PackedBatch(rows: rows))
        }
        return batches
    }

    /// The places in all streams, as JSON.
    func state() throws -> JSONValue {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return try JSONValue(parsing: [UInt8](encoder.encode(packings)))
    }

    /// Continues with the rows that followed ``state()``.
    ///
    /// - Throws: `TrainingError.resume` if the state does not fit the documents.
    mutating func restore(_ state: JSONValue) throws(TrainingError) {
        let restored = try? JSONDecoder().decode([DocumentPacking].self, from: Data(state.serialized))
        guard let restored, restored.count == packings.count else {
            throw .resume(field: "loader", reason: "has not \(packings.count) streams")
        }
        for stream in restored.indices {
            let fits = restored[stream].fits(options) { file.length(of: orders[stream].document($0)) }
            guard fits else { throw .resume(field: "loader", reason: "does not fit the documents") }
        }
        packings = restored
    }
}
