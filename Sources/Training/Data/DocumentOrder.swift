/// The order in which one stream reads its documents, epoch after epoch: one permutation for each (seed, stream, epoch).
///
/// With n streams, stream s reads the documents s, s + n, s + 2n, and so on.
struct DocumentOrder {
    let stream: Int
    let streams: Int
    let documents: Int
    let seed: UInt64
    /// The permutations of the most recently used epochs.
    private var epochs: [(epoch: Int, order: [Int])] = []

    init(stream: Int, streams: Int, documents: Int, seed: UInt64) {
        precondition(stream < streams && documents >= streams, "each stream has a document")
        (self.stream, self.streams, self.documents, self.seed) = (stream, streams, documents, seed)
    }

    /// The number of documents of the stream in an epoch.
    var count: Int { (documents - stream + streams - 1) / streams }

    /// Returns the document at a position of the stream, counted from 0 over all epochs.
    mutating func document(_ number: Int) -> Int {
        let (epoch, index) = number.quotientAndRemainder(dividingBy: count)
        if let known = epochs.first(where: { $0.epoch == epoch }) { return known.order[index] }
        // The output of the generator is a permutation of its states, so different streams get different keys.
        var key = SplitMix64(state: seed &+ UInt64(stream))
        var random = SplitMix64(state: key.next() ^ UInt64(epoch))
        var order = Array(Swift.stride(from: stream, to: documents, by: streams))
        for last in order.indices.dropFirst().reversed() { order.swapAt(last, random.below(last + 1)) }
        epochs.append((epoch, order))
        // A buffer holds documents of the current epoch and of the one before.
        if epochs.count > 3 { epochs.removeFirst() }
        return order[index]
    }
}
