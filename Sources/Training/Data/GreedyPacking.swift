/// Packs whole documents: a row takes each of the next `window` documents that still fits, in the order of the stream. Documents
/// longer than a row are truncated to its length.
public struct GreedyPacking: Sendable, Equatable, Codable {
    public let rowLength: Int
    public let window: Int
    private var next = 0
    private var pending: [DocumentPiece] = []

    public init(rowLength: Int, window: Int) {
        precondition(rowLength > 0 && window > 0, "a row and a window are not empty")
        self.rowLength = rowLength
        self.window = window
    }

    /// Returns the documents of the next row, or `nil` at the end of the stream.
    public mutating func nextRow(_ lengths: DocumentLengths) -> [DocumentPiece]? {
        while pending.count < window, let length = lengths(next) {
            if length > 0 { pending.append(DocumentPiece(document: next, start: 0, end: min(length, rowLength))) }
            next += 1
        }
        var room = rowLength
        var row: [DocumentPiece] = []
        pending.removeAll { piece in
            guard piece.count <= room else { return false }
            row.append(piece)
            room -= piece.count
            return true
        }
        return row.isEmpty ? nil : row
    }

    /// Whether the pending documents match those of the stream.
    func fits(_ lengths: DocumentLengths) -> Bool {
        next >= 0 && pending.count <= window
            && pending.allSatisfy { piece in
                (0..<next).contains(piece.document) && piece.start == 0 && piece.count > 0
                    && lengths(piece.document).map { min($0, rowLength) } == piece.end
            }
    }
}
