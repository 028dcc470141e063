import Foundation

/// An endless stream of the documents of one micro-batch of each step. It reads every `streams`-th document of each source, in a
/// new order for each epoch. The next document comes from the source that has given the fewest tokens relative to its weight.
final class DocumentStream {
    /// The position of the stream, and the state of its packing.
    struct State: Sendable, Equatable, Codable {
        var place: Place
        var packing: DocumentPacking
    }

    struct Place: Sendable, Equatable, Codable {
        /// The number of the next document of each source, counted over all epochs.
        var next: [Int]
        /// The number of tokens that each source has given.
        var tokens: [Int]
        /// The number of documents so far.
        var count = 0
        /// The number of unusable documents that were skipped, or `nil` for none.
        var skipped: Int?
        /// The source and number of each document that the packing still needs, by the document's number in the stream.
        var held: [Int: [Int]] = [:]
    }

    /// The maximum number of documents of a source that are tokenized ahead.
    private static let ahead = 64

    private static let misfit = TrainingError.resume(field: "loader", reason: "does not fit the documents")

    private var place: Place
    private var packing: DocumentPacking
    private let sources: [DocumentSource]
    /// The number of documents that may be skipped.
    private let skipLimit: Int
    private let workers: DocumentWorkers
    /// The maximum number of tokens of a document that are used. Tokens that do not fit a row are continued or cut.
    private let longestUse: Int
    private var orders: [DocumentOrder]
    /// The indices in each source of its next documents, starting at `place.next`.
    private var upcoming: [[Int]]
    private var documents = HeldDocuments()

    init(
        _ index: Int, of streams: Int, sources: [DocumentSource], options: DocumentLoader.Options, skipLimit: Int = 0,
        workers: DocumentWorkers
    ) {
        (self.sources, self.skipLimit, self.workers) = (sources, skipLimit, workers)
        orders = sources.enumerated().map { number, source in
            DocumentOrder(
                stream: index, streams: streams, documents: source.count,
                seed: options.seed &+ UInt64(number) << 32)
        }
        place = Place(next: sources.map { _ in 0 }, tokens: sources.map { _ in 0 })
        packing = DocumentPacking(options, stream: index)
        longestUse = packing.continuesPieces ? .max : options.length
        upcoming = sources.map { _ in [] }
    }

    var state: State { State(place: place, packing: packing) }

    /// Returns the next row.
    ///
    /// - Throws: `TrainingError` for a document that cannot be used. Afterwards only the ``state`` from before the call can be
    ///   used.
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
            // Happens only after `restore` with a modified state.
            guard let document = documents[piece.document] else { throw Self.misfit }
            for index in piece.start..<piece.end {
                row.append(
                    PackedBatch.Slot(id: document.ids[index], document: number, weight: document.weight(index)))
            }
            if piece.end == document.count || !packing.continuesPieces {
                documents.remove(piece.document)
                place.held[piece.document] = nil
            }
        }
        return row
    }

    /// Continues from the state of another stream.
    ///
    /// - Throws: `TrainingError.resume` if the state does not fit the sources.
    func restore(_ state: State, _ options: DocumentLoader.Options) throws(TrainingError) {
        let (given, packing) = (state.place, state.packing)
        guard given.next.count == sources.count, given.tokens.count == sources.count,
            (given.next + given.tokens).allSatisfy({ $0 >= 0 && $0 < 1 << 60 }),
            given.count >= 0, (given.skipped ?? 0) >= 0, given.held.count <= 2 * options.buffer + 1,
            given.held.keys.allSatisfy({ (0..<given.count).contains($0) }),
            given.held.values.allSatisfy({
                $0.count == 2 && sources.indices.contains($0[0]) && (0..<given.next[$0[0]]).contains($0[1])
            })
        else { throw Self.misfit }
        // Sorted by source and number, so that the permutation of each epoch is computed once.
        documents = HeldDocuments()
        for (number, item) in given.held.sorted(by: { $0.value.lexicographicallyPrecedes($1.value) }) {
            let key = DocumentWorkers.Key(source: item[0], document: orders[item[0]].document(item[1]))
            var document = documents[key]
            if document == nil { document = try sources[key.source].document(key.document) }
            if let document { documents.insert(document, key, number: number) }
        }
        guard packing.fits(options, { self.documents[$0]?.count }) else {
            throw Self.misfit
        }
        (place, self.packing) = (given, packing)
        upcoming = sources.map { _ in [] }
    }

    /// Reads the next document that is usable and not empty, and returns its length.
    private func draw() throws(TrainingError) -> Int {
        while true {
            let source = nextSource
            let key: DocumentWorkers.Key
            let document: Document
            do throws(TrainingError) { (key, document) = try take(source) } catch {
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
            documents.insert(document, key, number: place.count)
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

    private func take(_ source: Int) throws(TrainingError) -> (DocumentWorkers.Key, Document) {
        if upcoming[source].isEmpty { upcoming[source].append(orders[source].document(place.next[source])) }
        let key = DocumentWorkers.Key(source: source, document: upcoming[source].removeFirst())
        place.next[source] += 1
        if let document = documents[key] { return (key, document) }
        guard let job = sources[source].job(key.document) else {
            return (key, try sources[source].document(key.document))
        }
        let result = workers.take(key, job)
        prepare(source)
        return (key, try result.get())
    }

    /// Queues documents that will be needed soon and are not held.
    private func prepare(_ source: Int) {
        for offset in 0..<Self.ahead {
            if upcoming[source].count == offset {
                upcoming[source].append(orders[source].document(place.next[source] + offset))
            }
            let key = DocumentWorkers.Key(source: source, document: upcoming[source][offset])
            guard documents[key] == nil else { continue }
            guard let job = sources[source].job(key.document), workers.prepare(key, job) else { return }
        }
    }
}
