import Checkpoints
import Foundation
import JSON
import TestSupport
import Testing

@testable import Training

@Suite struct DocumentLoaderTests {
    private let temporary: TemporaryModel

    init() throws {
        temporary = try TemporaryModel()
    }

    /// A file of documents; token t of document d is (7 d + t) mod 96.
    private func file(_ lengths: [Int], name: String = "tokens.safetensors", offsets: [Int64]? = nil) throws -> URL {
        let tokens = lengths.enumerated().flatMap { document, length in
            (0..<length).map { UInt8((7 * document + $0) % 96) }
        }
        let ends = offsets ?? lengths.reduce(into: [0]) { $0.append($0[$0.count - 1] + Int64($1)) }
        let folder = temporary.directory.appending(path: "writer-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        var writer = try CheckpointWriter(
            directory: folder,
            entries: [
                CheckpointWriter.Entry(name: "offsets", type: .int64, shape: [ends.count]),
                CheckpointWriter.Entry(name: "tokens", type: .uint8, shape: [tokens.count]),
            ])
        let bytes = ends.flatMap { withUnsafeBytes(of: $0.littleEndian, Array.init) } + tokens
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 8)
        defer { memory.deallocate() }
        memory.copyBytes(from: bytes)
        try writer.append(UnsafeRawBufferPointer(rebasing: memory[..<(8 * ends.count)]))
        try writer.append(UnsafeRawBufferPointer(rebasing: memory[(8 * ends.count)...]))
        try writer.finish()
        let url = temporary.directory.appending(path: name)
        try FileManager.default.moveItem(at: folder.appending(path: "model.safetensors"), to: url)
        return url
    }

    private static let lengths = (0..<40).map { [0, 3, 50, 11, 130][$0 % 5] + $0 }

    private func loader(
        _ packing: DocumentLoader.Packing, seed: UInt64 = 1, lengths: [Int] = lengths
    ) throws -> DocumentLoader {
        let url = temporary.directory.appending(path: "tokens.safetensors")
        if !FileManager.default.fileExists(atPath: url.path) { _ = try file(lengths) }
        let options = DocumentLoader.Options(
            packing: packing, length: 32, rows: 2, microBatches: 2, buffer: 3, seed: seed)
        return try DocumentLoader([DocumentSource(content: .tokens(TokenFile(url, vocabularySize: 96)))], options)
    }

    @Test(arguments: DocumentLoader.Packing.allCases)
    func `a restored loader gives the same batches, and another seed gives others`(packing: DocumentLoader.Packing)
        throws
    {
        let loader = try loader(packing)
        for _ in 0..<7 { _ = try loader.next() }
        let state = try JSONValue(parsing: loader.state().serialized)
        let (restored, other) = (try self.loader(packing), try self.loader(packing, seed: 2))
        try restored.restore(state)
        var differs = false
        // More than an epoch.
        for _ in 0..<40 {
            let batches = try loader.next()
            let again = try restored.next()
            #expect(batches.map(\.ids) == again.map(\.ids) && batches.map(\.pieces) == again.map(\.pieces))
            differs = try differs || other.next().map(\.ids) != batches.map(\.ids)
        }
        #expect(differs)
    }

    @Test func `an epoch has each token of each stream once`() throws {
        let loader = try loader(.sequential)
        var counts = [Int](repeating: 0, count: 96)
        var expected = counts
        for (document, length) in Self.lengths.enumerated() {
            for token in 0..<length { expected[(7 * document + token) % 96] += 1 }
        }
        // Streams are different in length: each is read up to its own end.
        let totals = (0..<2).map { stream in
            Self.lengths.indices.filter { $0 % 2 == stream }.reduce(0) { $0 + Self.lengths[$1] }
        }
        var read = [0, 0]
        while read != totals {
            for (stream, batch) in try loader.next().enumerated() {
                for id in batch.ids where read[stream] < totals[stream] {
                    counts[Int(id)] += 1
                    read[stream] += 1
                }
            }
        }
        #expect(counts == expected)
    }

    @Test func `epochs have different orders of the same documents`() {
        var order = DocumentOrder(stream: 1, streams: 3, documents: 40, seed: 5)
        let epochs = (0..<3).map { epoch in (0..<13).map { order.document(epoch * 13 + $0) } }
        #expect(order.count == 13)
        #expect(epochs.allSatisfy { $0.sorted() == Array(stride(from: 1, to: 40, by: 3)) })
        #expect(Set(epochs).count == 3)
        #expect((0..<13).map { order.document($0) } == epochs[0])
    }

    @Test func `the state of a step that could not be done is that of the step before`() throws {
        let loader = try loader(.rsdb)
        for _ in 0..<3 {
            let before = try loader.state()
            let batches = try loader.next()
            loader.takeBack()
            #expect(try loader.state() == before)
            try loader.restore(before)
            #expect(try loader.next().map(\.ids) == batches.map(\.ids))
        }
    }

    @Test func `a state that does not fit the documents is refused`() throws {
        let loader = try loader(.rsdb)
        _ = try loader.next()
        let text = String(decoding: try loader.state().serialized, as: UTF8.self)
        let changed = try #require(text.range(of: "\"head\":"))
        let states = [
            text.replacingCharacters(in: changed, with: "\"head\":999"),
            text.replacingOccurrences(of: "\"size\":3", with: "\"size\":4"), "[]", "null",
        ]
        for state in states {
            #expect(throws: TrainingError.self, "\(state)") { try loader.restore(JSONValue(parsing: state)) }
        }
    }

    @Test(arguments: [[0, 3, 2], [1, 3, 5], [0, 3, 4], [0]] as [[Int64]])
    func `offsets that do not fit the tokens are refused`(offsets: [Int64]) throws {
        let url = try file([3, 2], offsets: offsets)
        #expect {
            try TokenFile(url, vocabularySize: 96)
        } throws: {
            guard case TrainingError.tensor(let file, "offsets", _) = $0 else { return false }
            return file == url.path
        }
    }

    @Test func `a token outside the vocabulary is found before training, and streams without tokens are refused`()
        throws
    {
        let options = DocumentLoader.Options(packing: .rsdb, length: 32, rows: 2, microBatches: 2, buffer: 3, seed: 0)
        #expect {
            try TokenFile(file([40, 40], name: "a"), vocabularySize: 20)
        } throws: {
            "\($0)".hasSuffix("/a: the tensor tokens is 20 at 20, expected 0...19")
        }
        for lengths in [[5], [5, 0, 4, 0]] {
            let source = DocumentSource(
                content: .tokens(try TokenFile(file(lengths, name: "\(lengths)"), vocabularySize: 96)))
            #expect {
                try DocumentLoader([source], options, path: "stages[2].")
            } throws: {
                guard case TrainingError.recipe("stages[2].documents.sources[0]", _) = $0 else { return false }
                return true
            }
        }
    }

    @Test func `a run on documents from random weights is resumed bit for bit and lowers its loss`() throws {
        _ = try file(Self.lengths)
        let initial = temporary.directory.appending(path: "initial")
        try FileManager.default.createDirectory(at: initial, withIntermediateDirectories: true)
        try FileManager.default.copyItem(
            at: TrainingFixture.root.appending(path: "train30/config.json"), to: initial.appending(path: "config.json"))
        let json: JSONValue = [
            "initial": "initial", "seed": 3, "checkpoint_interval": 5,
            "documents": [
                "tokens": "tokens.safetensors", "packing": "rsdb", "length": 64, "rows": 2, "micro_batches": 2,
                "buffer": 4, "seed": 8,
            ],
            "hyperparameters": ["steps": 24],
        ]
        let url = temporary.directory.appending(path: "recipe.json")
        try Data(json.serialized).write(to: url)
        func out(_ name: String) -> URL { temporary.directory.appending(path: name) }
        var whole: [StepReport] = []
        try TrainingRun(Recipe(url), out: out("whole"), threads: 2).run { whole.append($0) }
        var parts: [StepReport] = []
        for end in [7, 24] {
            let run = try TrainingRun(Recipe(url), out: out("parts"), threads: 1)
            try run.run(mustStop: { run.trainer.step == end && end < 24 }, report: { parts.append($0) })
        }
        #expect(whole.count == 24 && whole == parts)
        // log(96) = 4.56: the order of the tokens is learned.
        let last = try #require(whole.last).crossEntropy
        #expect(abs(whole[0].crossEntropy - 4.6) < 0.5 && last < 3.5, "\(whole[0].crossEntropy), \(last)")
        for name in ["model.safetensors", "trainer.json"] {
            let (a, b) = (out("whole").appending(path: name), out("parts").appending(path: name))
            #expect(try Data(contentsOf: a) == Data(contentsOf: b), "\(name)")
        }
    }
}
