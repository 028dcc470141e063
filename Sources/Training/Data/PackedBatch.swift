/// The tokens of some rows, concatenated without padding.
///
/// A row consists of pieces of documents. A piece attends only to itself. Each of its tokens except the last predicts the next
/// one.
public struct PackedBatch: Sendable {
    /// Token ids, (tokens).
    public let ids: [Int32]
    /// The position of each token in its piece.
    public let positions: [Int32]
    /// The next token in the piece, or 0 for the last token of a piece.
    public let targets: [Int32]
    /// The weight of each target, or 0 for the last token of a piece.
    public let targetWeights: [Float]
    /// The range of tokens of each piece, in order.
    public let pieces: [Range<Int>]
    /// The range of tokens of each row, in order; empty for a row of padding.
    public let rows: [Range<Int>]
    /// The sum of ``targetWeights``.
    public let targetWeight: Double

    public var tokens: Int { ids.count }

    /// One position of a row.
    public struct Slot: Sendable {
        public var id: Int32
        /// The number of the document in the row, or -1 for padding.
        public var document: Int
        /// The weight of the token as a target.
        public var weight: Float

        public init(id: Int32, document: Int, weight: Float) {
            self.id = id
            self.document = document
            self.weight = weight
        }
    }

    public init(rows slots: [[Slot]]) {
        var (ids, positions, targets, weights) = ([Int32](), [Int32](), [Int32](), [Float]())
        var (pieces, rows) = ([Range<Int>](), [Range<Int>]())
        for row in slots {
            let rowStart = ids.count
            var pieceStart = rowStart
            var previous: Int?
            func endPiece() {
                if ids.count > pieceStart { pieces.append(pieceStart..<ids.count) }
                pieceStart = ids.count
            }
            for slot in row {
                let isInPiece = previous == slot.document
                if !isInPiece { endPiece() }
                previous = slot.document
                guard slot.document >= 0 else { continue }
                if isInPiece {
                    targets[ids.count - 1] = slot.id
                    weights[ids.count - 1] = slot.weight
                }
                positions.append(Int32(ids.count - pieceStart))
                ids.append(slot.id)
                targets.append(0)
                weights.append(0)
            }
            endPiece()
            rows.append(rowStart..<ids.count)
        }
        (self.ids, self.positions, self.targets, targetWeights) = (ids, positions, targets, weights)
        (self.pieces, self.rows) = (pieces, rows)
        targetWeight = weights.reduce(0) { $0 + Double($1) }
    }
}
