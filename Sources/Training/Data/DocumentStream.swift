import Foundation

/// The documents of one micro-batch of each step, without an end: of every source each `streams`-th document, in a new order
/// each epoch. The next document is of the source that has given the fewest tokens for its weight.
final class DocumentStream {
    /// Where the stream is, and what its packing still needs.
    struct State: Sendable, Equatable, Codable {
        var place: Place
        var packing: DocumentPacking
    }

    struct Place: Sendable, Equatable, Codable {
        /// The number of the next document of each source, counted over all epochs.
        var next: [Int]
        /// Tokens that each source has given.
        var tokens: [Int]
        /// The number of documents so far.
        var count = 0
        /// Documents that were left out because they cannot be used; `nil` if there is none.
        var skipped: Int?
        /// Source and number of each document that is in the packing, by its number in the stream.
        var held: [Int: [Int]] = [:]
    }

    /// Documents of a source that are tokenized ahead.
    private static let ahead = 64

    private static let misfit = TrainingError.resume(field: "loader", reason: "does not fit the documents")

    private var place: Place
    private var packing: DocumentPacking
    private let index: Int
    private let sources: [DocumentSource]
    /// Documents that may be left out.
    private let skipLimit: Int
    private let workers: DocumentWorkers
    /// Tokens of a document that are used at most: what does not fit a row is continued or cut.
    private let longestUse: Int
    private var orders: [DocumentOrder]
    /// Places in the source of the documents of each source, from `place.next` on.
    private var upcoming: [[Int]]
    /// Those of `upcoming` that were queued.
    private var queued: [Int]
    private var documents: [Int: Document] = [:]

    init(
        _ index: Int, of streams: Int, sources: [DocumentSource], options: DocumentLoader.Options, skipLimit: Int = 0,
        workers: DocumentWorkers
    ) {
        (self.index, self.sources, self.skipLimit, self.workers) = (index, sources, skipLimit, workers)
        orders = sources.enumerated().map { number, source in
            DocumentOrder(
                stream: index, streams: streams, documents: source.count,
                seed: options.seed &+ UInt64(number) << 32)
        }
        place = Place(next: sources.map { _ in 0 }, tokens: sources.map { _ in 0 })
        packing = DocumentPacking(options, stream: index)
        longestUse = packing.continuesPieces ? .max : options.length
        upcoming = sources.map { _ in [] }
        queued = sources.map { _ in 0 }
    }

    var state: State { State(place: place, packing: packing) }

    /// The next row.
    ///
    /// - Throws: `TrainingError` for a document that cannot be used; then only ``state`` before the call can be used.
    func nextRow() throws(TrainingError) -> [PackedBatch.Slot] {
        var failure: TrainingError?
        let pieces =
            packing.nextRow { number in
                if let document = documents[number] { return document.count }
                do throws(TrainingError) { return try draw() } catch {
                    failure = failure ?? error
                    return nil
                }
            } ?? []
        if let failure { throw failure }
        var row: [PackedBatch.Slot] = []
        for (number, piece) in pieces.enumerated() {
            // Only after `restore` with a state that was changed.
            guard let document = documents[piece.document] else { throw Self.misfit }
            for index in piece.start..<piece.end {
                row.append(
                    PackedBatch.Slot(id: document.ids[index], document: number, weight: document.weight(index)))
            }
            if piece.end == document.count || !packing.continuesPieces {
                documents[piece.document] = nil
                place.held[piece.document] = nil
            }
        }
        return row
    }

    /// Continues from the state that another stream had.
    ///
    /// - Throws: `TrainingError.resume` if it does not fit the sources.
    func restore(_ state: State, _ options: DocumentLoader.Options) throws(TrainingError) {
        let (given, packing) = (state.place, state.packing)
        let places = given.held.values.sorted { $0.lexicographicallyPrecedes($1) }
        guard given.next.count == sources.count, given.tokens.count == sources.count,
            (given.next + given.tokens).allSatisfy({ $0 >= 0 && $0 < 1 << 60 }),
            given.count >= 0, (given.skipped ?? 0) >= 0, given.held.count <= 2 * options.buffer + 1,
            given.held.keys.allSatisfy({ (0..<given.count).contains($0) }),
            places.allSatisfy({
                $0.count == 2 && sources.indices.contains($0[0]) && (0..<given.next[$0[0]]).contains($0[1])
            })
        else { throw Self.misfit }
        // In the order of epochs, each of which has its own permutation.
        var found: [[Int]: Document] = [:]
        for item in places {
            found[item] = try sources[item[0]].document(orders[item[0]].document(item[1]))
        }
        documents = given.held.compactMapValues { found[$0] }
        guard packing.fits(options, { self.documents[$0]?.count }) else {
            throw Self.misfit
        }
        (place, self.packing) = (given, packing)
        upcoming = sources.map { _ in [] }
        queued = sources.map { _ in 0 }
    }

    /// Reads the next document that is not empty and can be used, and returns its length.
    private func draw() throws(TrainingError) -> Int {
        while true {
            let source = nextSource
            let document: Document
            do throws(TrainingError) { document = try take(source) } catch {
                guard case .line(let file, let number, let reason) = error else { throw error }
                let skipped = place.skipped ?? 0
                guard skipped < skipLimit else {
                    throw .line(
                        file: file, number: number,
                        reason: "\(reason); skip_documents allows to leave such documents out")
                }
                place.skipped = skipped + 1
                continue
            }
            place.tokens[source] += min(document.count, longestUse)
            guard document.count > 0 else { continue }
            documents[place.count] = document
            place.held[place.count] = [source, place.next[source] - 1]
            place.count += 1
            return document.count
        }
    }

    private var nextSource: Int {
        var best = 0
        func level(_ index: Int) -> Double { Double(place.tokens[index]) / sources[index].weight }
        for index in sources.indices.dropFirst() where level(index) < level(best) { best = index }
        return best
    }

    private func take(_ source: Int) throws(TrainingError) -> Document {
        let number = place.next[source]
        if upcoming[source].isEmpty { upcoming[source].append(orders[source].document(number)) }
        let document = upcoming[source].removeFirst()
        queued[source] = max(queued[source] - 1, 0)
        place.next[source] += 1
        guard let job = sources[source].job(document) else { return try sources[source].document(document) }
        let result = workers.take(DocumentWorkers.Key(stream: index, source: source, number: number), job)
        prepare(source)
        return try result.get()
    }

    /// Queues documents that will be needed soon.
    private func prepare(_ source: Int) {
        while queued[source] < Self.ahead {
            let number = place.next[source] + queued[source]
            if upcoming[source].count == queued[source] { upcoming[source].append(orders[source].document(number)) }
            guard let job = sources[source].job(upcoming[source][queued[source]]),
                workers.prepare(DocumentWorkers.Key(stream: index, source: source, number: number), job)
            else { return }
            queued[source] += 1
        }
    }
}
