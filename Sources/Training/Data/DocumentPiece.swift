/// The tokens `start ..< end` of a document, which is identified by its number in the stream.
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

/// Returns the length of a document of a stream by its number from 0, or `nil` past the end of the stream.
public typealias DocumentLengths = (Int) -> Int?
