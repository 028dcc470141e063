/// The state of the packing of one stream of documents.
enum DocumentPacking: Sendable, Equatable, Codable {
    case sequential(SequentialPacking)
    case rsdb(RandomDocumentBuffer)
    case greedy(GreedyPacking)

    init(_ options: DocumentLoader.Options, stream: Int) {
        switch options.packing {
        case .sequential: self = .sequential(SequentialPacking(rowLength: options.length))
        case .rsdb:
            // This seed must differ from the seed of the stream's document order.
            var key = SplitMix64(state: ~options.seed &- UInt64(stream))
            self = .rsdb(RandomDocumentBuffer(rowLength: options.length, size: options.buffer, seed: key.next()))
        case .greedy: self = .greedy(GreedyPacking(rowLength: options.length, window: options.buffer))
        }
    }

    mutating func nextRow(_ lengths: DocumentLengths) -> [DocumentPiece]? {
        switch self {
        case .sequential(var packing):
            defer { self = .sequential(packing) }
            return packing.nextRow(lengths)
        case .rsdb(var buffer):
            defer { self = .rsdb(buffer) }
            return buffer.nextRow(lengths)
        case .greedy(var packing):
            defer { self = .greedy(packing) }
            return packing.nextRow(lengths)
        }
    }

    /// Whether the rest of a document is continued in a later row.
    var continuesPieces: Bool {
        if case .greedy = self { false } else { true }
    }

    /// Whether a state read from a file can be continued with these options and documents.
    func fits(_ options: DocumentLoader.Options, _ lengths: DocumentLengths) -> Bool {
        switch self {
        case .sequential(let packing):
            return options.packing == .sequential && packing.rowLength == options.length && packing.fits(lengths)
        case .rsdb(let buffer):
            return options.packing == .rsdb && buffer.rowLength == options.length && buffer.size == options.buffer
                && buffer.fits(lengths)
        case .greedy(let packing):
            return options.packing == .greedy && packing.rowLength == options.length
                && packing.window == options.buffer && packing.fits(lengths)
        }
    }
}
