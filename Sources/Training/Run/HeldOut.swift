import JSON

/// Held-out documents: the run does not train on them and measures their loss.
struct HeldOut {
    /// The maximum numbers of tokens and documents. All of them are in memory.
    private static let mostTokens = 1 << 24
    private static let mostDocuments = 1 << 16
    /// The number of tokens in a batch, unless a single document is longer.
    private static let batchTokens = 4096

    /// Batches with one document per row.
    private let batches: [PackedBatch]
    /// The number of tokens in the largest batch.
    var largestBatch: Int { batches.map(\.tokens).max() ?? 0 }

    /// Tokenizes all documents.
    ///
    /// - Throws: `TrainingError` with the document that cannot be used, or `TrainingError.recipe` if there are too many.
    init(_ source: DocumentSource) throws(TrainingError) {
        guard source.count <= Self.mostDocuments else {
            throw .recipe(field: "held_out", reason: "has more than \(Self.mostDocuments) documents")
        }
        var (batches, rows, size, total) = ([PackedBatch](), [[PackedBatch.Slot]](), 0, 0)
        for index in 0..<source.count {
            let document = try source.document(index)
            if !rows.isEmpty, size + document.count > Self.batchTokens {
                batches.append(PackedBatch(rows: rows))
                (rows, size) = ([], 0)
            }
            size += document.count
            total += document.count
            guard total <= Self.mostTokens else {
                throw .recipe(field: "held_out", reason: "has more than \(Self.mostTokens) tokens")
            }
            rows.append(
                document.ids.indices.map {
                    PackedBatch.Slot(id: document.ids[$0], document: 0, weight: document.weight($0))
                })
        }
        batches.append(PackedBatch(rows: rows))
        guard batches.contains(where: { $0.targetWeight > 0 }) else {
            throw .recipe(field: "held_out", reason: "has no target")
        }
        self.batches = batches
    }

    /// Measures the loss after `step` steps.
    ///
    /// - Throws: `TrainingError.activations` if the documents do not fit the machine's memory.
    func measure(_ model: TrainingModel, step: Int) throws(TrainingError) -> HeldOutReport {
        var memory = ActivationMemory(measuring: model.config)
        var (sum, weight, documents) = (0.0, 0.0, [Double?]())
        for batch in batches {
            try memory.check(batch, name: "a batch of held_out")
            // A row without tokens has no piece.
            var pieces = zip(batch.pieces, model.evaluate(batch)).makeIterator()
            for row in batch.rows {
                guard !row.isEmpty, let (piece, sums) = pieces.next() else {
                    documents.append(nil)
                    continue
                }
                let own = batch.targetWeights[piece].reduce(0.0) { $0 + Double($1) }
                documents.append(own > 0 ? sums.crossEntropy / own : nil)
                sum += sums.crossEntropy
                weight += own
            }
        }
        return HeldOutReport(step: step, loss: sum / weight, targetWeight: weight, documentLosses: documents)
    }
}

/// The loss of the held-out documents.
public struct HeldOutReport: Sendable, Equatable {
    /// The number of steps done before the measurement.
    public var step: Int
    /// The mean cross-entropy over all targets, weighted by target weight.
    public var loss: Double
    public var targetWeight: Double
    /// The mean cross-entropy of each document, or `nil` for a document without targets.
    public var documentLosses: [Double?]

    /// The report as a JSON object. The order of its members is fixed.
    public var json: JSONValue {
        [
            "step": .integer(step), "held_out_loss": .double(loss), "held_out_targets": .double(targetWeight),
            "held_out_documents": .array(documentLosses.map { $0.map { .double($0) } ?? .null }),
        ]
    }
}
