import JSON
import Testing

@testable import Training

@Suite struct PackingTests {
    /// A list of lengths as a stream.
    private static func stream(_ lengths: [Int]) -> DocumentLengths {
        { $0 < lengths.count ? lengths[$0] : nil }
    }

    private static func rows(_ next: () -> [DocumentPiece]?) -> [[DocumentPiece]] {
        var rows: [[DocumentPiece]] = []
        while let row = next() { rows.append(row) }
        return rows
    }

    struct Case {
        var lengths: [Int]
        var rowLength: Int
        var size: Int
        var rows: Int

        init?(_ json: JSONValue) {
            guard let lengths = json["lengths"]?.array, let rowLength = json["T"]?.integer,
                let size = json["user_buffer"]?.integer,
                let rows = json["reference"]?["rows"]?.integer
            else { return nil }
            self.lengths = lengths.compactMap(\.integer)
            (self.rowLength, self.size, self.rows) = (rowLength, size, rows)
        }
    }

    private static func cases() throws -> [Case] {
        let json = try TrainingFixture.json("rsdb.json")
        let edges = (json["edge_cases"]?.object ?? JSONObject()).compactMap { Case($0.value) }
        return try [#require(Case(json))] + edges
    }

    @Test func `greedy packing gives exactly the rows of the reference`() throws {
        let cases = try TrainingFixture.json("sft_packing.json")["cases"]?.array ?? []
        #expect(cases.count == 3)
        for item in cases {
            let lengths = (item["lengths"]?.array ?? []).compactMap(\.integer)
            let rowLength = try #require(item["T"]?.integer)
            var packing = GreedyPacking(rowLength: rowLength, window: try #require(item["window"]?.integer))
            let rows = Self.rows { packing.nextRow(Self.stream(lengths)) }
            let expected = (item["rows"]?.array ?? []).map { ($0.array ?? []).compactMap(\.integer) }
            #expect(rows.map { $0.map(\.document) } == expected)
            #expect(rows.joined().allSatisfy { $0.start == 0 && $0.end == min(lengths[$0.document], rowLength) })
        }
    }

    @Test func `the buffer gives each token once, in rows that are full but for the last`() throws {
        let cases = try Self.cases()
        #expect(cases.count > 6)
        for item in cases {
            for seed in 1...3 as ClosedRange<UInt64> {
                var buffer = RandomDocumentBuffer(rowLength: item.rowLength, size: item.size, seed: seed)
                var heads = [Int](repeating: 0, count: item.lengths.count)
                let rows = Self.rows {
                    let row = buffer.nextRow(Self.stream(item.lengths))
                    #expect(buffer.active.count <= 2 * item.size)
                    return row
                }
                for piece in rows.joined() {
                    #expect(piece.start == heads[piece.document] && piece.count > 0)
                    heads[piece.document] = piece.end
                }
                #expect(heads == item.lengths)
                #expect(rows.count == item.rows)
                #expect(rows.dropLast().allSatisfy { $0.reduce(0) { $0 + $1.count } == item.rowLength })
                // A piece ends only where its document or its row ends.
                let inner = rows.flatMap { $0.dropLast() }
                #expect(inner.allSatisfy { $0.end == item.lengths[$0.document] })
            }
        }
    }

    @Test func `a restored buffer goes on with the same rows, and another seed gives others`() throws {
        let item = try #require(try Self.cases().first)
        let stream = Self.stream(item.lengths)
        var buffer = RandomDocumentBuffer(rowLength: item.rowLength, size: item.size, seed: 5)
        for _ in 0..<item.rows / 3 { _ = buffer.nextRow(stream) }
        var restored = RandomDocumentBuffer(
            rowLength: buffer.rowLength, size: buffer.size, random: buffer.random, next: buffer.next,
            active: buffer.active)
        let rest = Self.rows { buffer.nextRow(stream) }
        #expect(rest.count > 100)
        #expect(Self.rows { restored.nextRow(stream) } == rest)
        var (first, other) = (
            RandomDocumentBuffer(rowLength: item.rowLength, size: item.size, seed: 5),
            RandomDocumentBuffer(rowLength: item.rowLength, size: item.size, seed: 6)
        )
        #expect((0..<20).contains { _ in first.nextRow(stream) != other.nextRow(stream) })
    }

    @Test func `draws are uniform over the documents of the buffer`() {
        var counts = [Int](repeating: 0, count: 10)
        var random = SplitMix64(state: 7)
        for _ in 0..<10_000 { counts[random.below(10)] += 1 }
        let deviation = counts.reduce(0.0) { $0 + Double(($1 - 1000) * ($1 - 1000)) / 1000 }
        // Chi-square with 9 degrees of freedom exceeds 33.7 once in 10,000 runs.
        #expect(deviation < 33.7)
    }

    @Test func `a buffer of one document and sequential packing give the same rows`() throws {
        for lengths in [[1000], [64]] {
            var buffer = RandomDocumentBuffer(rowLength: 64, size: 1, seed: 3)
            var packing = SequentialPacking(rowLength: 64)
            let rows = Self.rows { packing.nextRow(Self.stream(lengths)) }
            #expect(rows.count == (lengths[0] + 63) / 64)
            #expect(Self.rows { buffer.nextRow(Self.stream(lengths)) } == rows)
        }
        var packing = SequentialPacking(rowLength: 8)
        #expect(
            Self.rows { packing.nextRow(Self.stream([5, 0, 6])) } == [
                [
                    DocumentPiece(document: 0, start: 0, end: 5), DocumentPiece(document: 2, start: 0, end: 3),
                ],
                [DocumentPiece(document: 2, start: 3, end: 6)],
            ])
    }
}
