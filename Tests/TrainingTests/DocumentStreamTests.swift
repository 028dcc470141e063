import Checkpoints
import Foundation
import JSON
import TestSupport
import Testing

@testable import Training

/// Streams of documents that are tokenized on the fly, from several sources.
@Suite struct DocumentStreamTests {
    private let temporary: TemporaryModel
    private let tokenizer: DocumentTokenizer

    init() throws {
        temporary = try TemporaryModel()
        tokenizer = try DocumentTokenizer(
            folder: Fixtures.chatModel, config: ModelConfig(directory: Fixtures.chatModel))
    }

    /// Texts that begin with their number, of different lengths.
    private func source(_ name: String, _ count: Int, weight: Double = 1) throws -> DocumentSource {
        var text = ""
        for index in 0..<count {
            let words = String(repeating: " \(name)", count: 1 + index * 7 % 23)
            text += "{\"text\": \"\(index)\(words)\"}\n"
        }
        try temporary.write(Array(text.utf8), to: "\(name).jsonl")
        let file = try LineFile(temporary.directory.appending(path: "\(name).jsonl"))
        return DocumentSource(content: .lines(file, tokenizer), weight: weight)
    }

    private func options(_ packing: DocumentLoader.Packing) -> DocumentLoader.Options {
        DocumentLoader.Options(packing: packing, length: 48, rows: 2, microBatches: 2, buffer: 20, seed: 4)
    }

    private static func ids(_ batches: [PackedBatch]) -> [[Int32]] { batches.map(\.ids) }

    @Test(arguments: DocumentLoader.Packing.allCases)
    func `the rows depend on no thread, and are resumed`(packing: DocumentLoader.Packing) throws {
        // Smaller than the buffer, and larger.
        let sources = try [source("sun", 9), source("moon", 60, weight: 2)]
        let options = options(packing)
        let loaders = try [1, 64].map { try DocumentLoader(sources, options, cpus: $0) }
        var state = JSONValue.null
        var steps: [[[Int32]]] = []
        for step in 0..<60 {
            let batches = try loaders.map { try Self.ids($0.next()) }
            #expect(batches[0] == batches[1])
            steps.append(batches[0])
            if step == 24 { state = try JSONValue(parsing: loaders[0].state().serialized) }
        }
        let restored = try DocumentLoader(sources, options)
        try restored.restore(state)
        for step in 25..<60 { #expect(try Self.ids(restored.next()) == steps[step]) }
        #expect(Set(steps.map { $0[0] }).count > 50)
    }

    @Test func `sources give tokens in proportion to their weights`() throws {
        let sources = try [source("sun", 30), source("moon", 30, weight: 3)]
        let loader = try DocumentLoader(sources, options(.sequential))
        var counts = [0, 0]
        let marks = ["sun", "moon"].map { tokenizer.tokenizer.encode(" \($0)", addSpecialTokens: false) }
        for _ in 0..<200 {
            for batch in try loader.next() {
                for piece in batch.pieces {
                    let ids = Array(batch.ids[piece])
                    // Every document but the numbers is of its word.
                    let isSun = Self.count(marks[0], in: ids) > Self.count(marks[1], in: ids)
                    counts[isSun ? 0 : 1] += piece.count
                }
            }
        }
        let share = Double(counts[1]) / Double(counts[0] + counts[1])
        #expect(abs(share - 0.75) < 0.02, "\(share)")
    }

    @Test func `greedy packing counts the tokens of a document that it uses`() throws {
        // Rows of 8 tokens: a document of the first source is cut.
        let options = DocumentLoader.Options(
            packing: .greedy, length: 8, rows: 2, microBatches: 1, buffer: 4, seed: 4)
        let long = String(repeating: "{\"text\": \"0\(String(repeating: " sun", count: 100))\"}\n", count: 30)
        let short = String(repeating: "{\"text\": \"0 moon moon\"}\n", count: 30)
        var lines: [DocumentSource] = []
        for (name, text) in [("long", long), ("short", short)] {
            try temporary.write(Array(text.utf8), to: "\(name).jsonl")
            let file = try LineFile(temporary.directory.appending(path: "\(name).jsonl"))
            lines.append(DocumentSource(content: .lines(file, tokenizer), weight: 1))
        }
        let loader = try DocumentLoader(lines, options)
        let mark = tokenizer.tokenizer.encode(" moon", addSpecialTokens: false)
        var counts = [0, 0]
        for _ in 0..<100 {
            for batch in try loader.next() {
                for piece in batch.pieces {
                    counts[Self.count(mark, in: Array(batch.ids[piece])) > 0 ? 1 : 0] += piece.count
                }
            }
        }
        let share = Double(counts[1]) / Double(counts[0] + counts[1])
        #expect(abs(share - 0.5) < 0.05, "\(share)")
    }

    @Test func `documents that are done ahead are bounded by their number and by their tokens`() throws {
        func job(_ count: Int) -> DocumentWorkers.Job {
            { .success(Document(ids: [Int32](repeating: 1, count: count))) }
        }
        func key(_ document: Int) -> DocumentWorkers.Key { .init(source: 0, document: document) }
        let workers = DocumentWorkers(capacity: 2, mostTokens: 5)
        #expect(workers.prepare(key(0), job(3)) && workers.prepare(key(1), job(3)))
        #expect(!workers.prepare(key(2), job(3)))
        // One that is queued already needs no room.
        #expect(workers.prepare(key(1), job(9)))
        workers.start(threads: 1)
        defer { workers.stop() }
        // They are done in their order, so after the second one is taken the first has its tokens only.
        #expect(try workers.take(key(1), job(3)).get().count == 3)
        #expect(workers.prepare(key(2), job(3)))
        let deadline = ContinuousClock.now + .seconds(60)
        while workers.doneTokens < 6, ContinuousClock.now < deadline { usleep(1000) }
        #expect(workers.doneTokens == 6)
        #expect(try workers.take(key(0), job(3)).get().count == 3)
        #expect(workers.doneTokens == 3 && workers.prepare(key(3), job(9)))
        while workers.doneTokens < 12, ContinuousClock.now < deadline { usleep(1000) }
        #expect(try workers.take(key(2), job(3)).get().count == 3)
        #expect(!workers.prepare(key(4), job(1)))
        #expect(try workers.take(key(3), job(9)).get().count == 9)
        #expect(workers.doneTokens == 0 && workers.prepare(key(4), job(1)))
    }

    @Test(arguments: [DocumentLoader.Packing.rsdb, .greedy])
    func `a document is tokenized once for all its places in the buffer, also after a restart`(
        packing: DocumentLoader.Packing
    ) throws {
        var options = options(packing)
        options.microBatches = 1
        let loader = try DocumentLoader([source("sun", 2)], options)
        _ = try loader.next()
        let restored = try DocumentLoader([source("sun", 2)], options)
        try restored.restore(loader.state())
        // Both documents are in the buffer, so the file is not read again.
        try FileHandle(forWritingTo: temporary.directory.appending(path: "sun.jsonl")).truncate(atOffset: 0)
        for _ in 0..<200 { #expect(try Self.ids(loader.next()) == Self.ids(restored.next())) }
    }

    @Test func `a changed state is refused`() throws {
        let loader = try DocumentLoader([source("sun", 9)], options(.rsdb))
        _ = try loader.next()
        let good = String(decoding: try loader.state().serialized, as: UTF8.self)
        for (name, value) in [("count", "-1"), ("next", "[-1]"), ("tokens", "[-5]")] {
            let changed = good.replacing(try Regex("\"\(name)\":(\\[[0-9]*\\]|[0-9]+)"), with: "\"\(name)\":\(value)")
            #expect(changed != good)
            #expect(throws: TrainingError.self) {
                try DocumentLoader([source("sun", 9)], options(.rsdb)).restore(JSONValue(parsing: changed))
            }
        }
    }

    private static func count(_ mark: [Int32], in ids: [Int32]) -> Int {
        ids.indices.count { ids[$0...].starts(with: mark) }
    }

    @Test func `an epoch has each document of each source once`() throws {
        let loader = try DocumentLoader([source("sun", 40)], options(.sequential))
        var streams: [[Int32]] = [[], []]
        for _ in 0..<80 {
            for (index, batch) in try loader.next().enumerated() { streams[index] += batch.ids }
        }
        let all = try (0..<40).map { try self.source("sun", 40).document($0).ids }
        for stream in 0..<2 {
            let documents = stride(from: stream, to: 40, by: 2).map { all[$0] }
            let length = documents.reduce(0) { $0 + $1.count }
            var epoch = streams[stream][..<length]
            var found: [[Int32]] = []
            while !epoch.isEmpty, let next = documents.first(where: { epoch.starts(with: $0) && !found.contains($0) }) {
                found.append(next)
                epoch = epoch.dropFirst(next.count)
            }
            #expect(epoch.isEmpty && Set(found) == Set(documents))
        }
    }

    @Test func `after a document that cannot be used the state is that of the step before`() throws {
        let sources = try [source("sun", 40)]
        let loader = try DocumentLoader(sources, options(.rsdb))
        for _ in 0..<3 { _ = try loader.next() }
        let state = try loader.state()
        let handle = try FileHandle(forWritingTo: temporary.directory.appending(path: "sun.jsonl"))
        let whole = try Data(contentsOf: temporary.directory.appending(path: "sun.jsonl"))
        try handle.truncate(atOffset: 0)
        var failure: (any Error)?
        // What is in the buffer still comes.
        for _ in 0..<500 where failure == nil {
            let before = try loader.state()
            do { _ = try loader.next() } catch {
                failure = error
                #expect(try loader.state() == before)
            }
        }
        #expect(failure as? TrainingError != nil)
        try handle.seek(toOffset: 0)
        try handle.write(contentsOf: whole)
        let restored = try DocumentLoader(sources, options(.rsdb))
        try restored.restore(state)
        _ = try restored.next()
    }
}
