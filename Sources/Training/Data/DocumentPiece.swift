/// Tokens `start ..< end` of a document, by its number in the stream.
public struct DocumentPiece: Sendable, Equatable, Codable {
    public var document: Int
    public var start: Int
    public var end: Int

    public init(document: Int, start: Int, end: Int) {
        self.document = document
        self.start = start
        self.end = end
    }

    public var count: Int { end - start }
}

/// The lengths of a stream of documents, by number from 0; `nil` past its end.
public typealias DocumentLengths = (Int) -> Int?
