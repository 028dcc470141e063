/// The order in which one stream reads its documents, epoch after epoch: a permutation for each (seed, stream, epoch).
///
/// Of `streams` streams, stream s has the documents s, s + streams, and so on.
struct DocumentOrder {
    let stream: Int
    let streams: Int
    let documents: Int
    let seed: UInt64
    /// Permutations of the epochs that were used last.
    private var epochs: [(epoch: Int, order: [Int])] = []

    init(stream: Int, streams: Int, documents: Int, seed: UInt64) {
        precondition(stream < streams && documents >= streams, "each stream has a document")
        (self.stream, self.streams, self.documents, self.seed) = (stream, streams, documents, seed)
    }

    /// Documents of the stream in an epoch.
    var count: Int { (documents - stream + streams - 1) / streams }

    /// The document with a number from 0, counted over all epochs.
    mutating func document(_ number: Int) -> Int {
        let (epoch, index) = number.quotientAndRemainder(dividingBy: count)
        if let known = epochs.first(where: { $0.epoch == epoch }) { return known.order[index] }
        // A key for each pair: the generator's output is a permutation of its states.
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
