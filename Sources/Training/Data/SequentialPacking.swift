/// Concatenates documents: a row is cut at its length, and the rest of the document begins the next row.
public struct SequentialPacking: Sendable, Equatable, Codable {
    public let rowLength: Int
    private var document = 0
    private var head = 0

    public init(rowLength: Int) {
        self.rowLength = rowLength
    }

    /// Returns the pieces of the next row, or `nil` at the end of the stream.
    public mutating func nextRow(_ lengths: DocumentLengths) -> [DocumentPiece]? {
        var pieces: [DocumentPiece] = []
        var room = rowLength
        while room > 0, let length = lengths(document) {
            let count = min(room, length - head)
            if count > 0 { pieces.append(DocumentPiece(document: document, start: head, end: head + count)) }
            head += count
            room -= count
            if head == length {
                document += 1
                head = 0
            }
        }
        return pieces.isEmpty ? nil : pieces
    }

    /// Whether the position is inside the stream.
    func fits(_ lengths: DocumentLengths) -> Bool {
        document >= 0 && head >= 0 && (lengths(document).map { head == 0 || head < $0 } ?? (head == 0))
    }
}
