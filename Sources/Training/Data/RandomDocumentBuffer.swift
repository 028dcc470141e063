/// The random sequential document buffer (arXiv 2602.17004, section 3.2). Rows consist of pieces of documents that are drawn at
/// random from a buffer; each document is read in order.
///
/// The buffer holds up to 2N documents and is refilled when N or fewer are left. No token is dropped or repeated. The whole state
/// is a value: a restored buffer continues with the same rows.
public struct RandomDocumentBuffer: Sendable, Equatable, Codable {
    /// A document in the buffer, and the number of tokens read from it.
    public struct Reading: Sendable, Equatable, Codable {
        public var document: Int
        public var head: Int
        public var length: Int
    }

    public let rowLength: Int
    /// N: the buffer is refilled to 2N documents when at most N are left.
    public let size: Int
    public private(set) var random: SplitMix64
    /// The number of the next document of the stream.
    public private(set) var next = 0
    /// The documents in the buffer. Their order determines which one is drawn.
    public private(set) var active: [Reading] = []

    public init(rowLength: Int, size: Int, seed: UInt64) {
        precondition(rowLength > 0 && size > 0, "a row and a buffer are not empty")
        self.rowLength = rowLength
        self.size = size
        random = SplitMix64(state: seed)
    }

    /// Creates a buffer with the state of another buffer.
    public init(rowLength: Int, size: Int, random: SplitMix64, next: Int, active: [Reading]) {
        self.rowLength = rowLength
        self.size = size
        self.random = random
        self.next = next
        self.active = active
    }

    /// Returns the pieces of the next row. It is shorter than a row only at the end of the stream; after that the result is
    /// `nil`.
    public mutating func nextRow(_ lengths: DocumentLengths) -> [DocumentPiece]? {
        var pieces: [DocumentPiece] = []
        var room = rowLength
        while room > 0 {
            fill(lengths)
            guard !active.isEmpty else { break }
            let index = random.below(active.count)
            let reading = active[index]
            let count = min(room, reading.length - reading.head)
            pieces.append(
                DocumentPiece(document: reading.document, start: reading.head, end: reading.head + count))
            room -= count
            active[index].head += count
            if active[index].head == reading.length {
                // The last document takes its place, which needs constant time and gives a defined order.
                active[index] = active[active.count - 1]
                active.removeLast()
            }
        }
        return pieces.isEmpty ? nil : pieces
    }

    /// Whether the documents of the buffer match those of the stream.
    func fits(_ lengths: DocumentLengths) -> Bool {
        next >= 0 && active.count <= 2 * size
            && active.allSatisfy { reading in
                (0..<next).contains(reading.document) && lengths(reading.document) == reading.length
                    && (0..<reading.length).contains(reading.head)
            }
    }

    private mutating func fill(_ lengths: DocumentLengths) {
        guard active.count <= size else { return }
        while active.count < 2 * size, let length = lengths(next) {
            if length > 0 { active.append(Reading(document: next, head: 0, length: length)) }
            next += 1
        }
    }
}
