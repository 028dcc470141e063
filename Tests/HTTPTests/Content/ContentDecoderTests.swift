import CZlib
import TestSupport
import Testing

@testable import HTTP

@Suite struct ContentDecoderTests {
    private let text = Array(String(repeating: "Once upon a time. ", count: 20_000).utf8)

    /// - Parameter windowBits: 15 for zlib's format, 31 for gzip, -15 for raw deflate data.
    private func compress(_ bytes: [UInt8], windowBits: Int32) -> [UInt8] {
        var stream = z_stream()
        var output = [UInt8](repeating: 0, count: bytes.count + 1024)
        var input = bytes
        return input.withUnsafeMutableBufferPointer { input in
            output.withUnsafeMutableBufferPointer { output in
                #expect(trinity_deflate_init(&stream, windowBits) == Z_OK)
                stream.next_in = input.baseAddress
                stream.avail_in = UInt32(input.count)
                stream.next_out = output.baseAddress
                stream.avail_out = UInt32(output.count)
                #expect(deflate(&stream, Z_FINISH) == Z_STREAM_END)
                let count = output.count - Int(stream.avail_out)
                deflateEnd(&stream)
                return Array(output.prefix(count))
            }
        }
    }

    private func gzip(_ bytes: [UInt8]) -> [UInt8] { compress(bytes, windowBits: 31) }

    private func decode(
        _ bytes: [UInt8], _ codings: [ContentCoding], limit: Int = 1 << 20,
        budget: MemoryBudget = MemoryBudget(limit: .max)
    ) throws -> [UInt8] {
        let charge = try #require(budget.reserve(0))
        return try ContentDecoder(limit: limit).decode(bytes, codings, charge: charge).0
    }

    @Test(
        arguments: [
            ("gzip", [.gzip]), ("X-Gzip", [.gzip]), ("identity", []), ("", []), ("deflate , GZIP", [.deflate, .gzip]),
            ("identity,gzip", [.gzip]),
        ] as [(String, [ContentCoding])])
    func `a field lists codings in order`(field: String, codings: [ContentCoding]) {
        #expect(ContentCoding.list(field) == codings)
    }

    @Test(arguments: ["br", "zstd", "gzip, br", "gzip, gzip, gzip", "gzip;q=1"])
    func `unknown codings and more than two are refused`(field: String) {
        #expect(ContentCoding.list(field) == nil)
    }

    @Test func `a compressed body is decoded to the original`() throws {
        for bytes in [[], [7], text] {
            #expect(try decode(gzip(bytes), [.gzip]) == bytes)
            #expect(try decode(compress(bytes, windowBits: 15), [.deflate]) == bytes)
            #expect(try decode(compress(bytes, windowBits: -15), [.deflate]) == bytes)
            #expect(try decode(gzip(compress(bytes, windowBits: 15)), [.deflate, .gzip]) == bytes)
        }
        #expect(try decode(gzip(text) + gzip([1, 2]), [.gzip]) == text + [1, 2], "members follow each other")
    }

    @Test func `a stream that is truncated anywhere is incomplete`() throws {
        let whole = gzip(Array(text.prefix(2000)))
        for count in 0..<whole.count {
            #expect(throws: ContentDecodingError.incomplete(.gzip)) { try decode(Array(whole[..<count]), [.gzip]) }
        }
    }

    @Test func `garbage is malformed, and so are changed bytes and bytes after the end`() throws {
        #expect(throws: ContentDecodingError.malformed(.gzip)) { try decode(Array(#"{"prompt": 1}"#.utf8), [.gzip]) }
        #expect(throws: ContentDecodingError.malformed(.gzip)) { try decode(gzip(text) + [0], [.gzip]) }
        #expect(throws: ContentDecodingError.malformed(.deflate)) {
            try decode(compress(text, windowBits: 15) + [0], [.deflate])
        }
        var changed = gzip(text)
        changed[changed.count - 6] ^= 1
        #expect(throws: ContentDecodingError.malformed(.gzip)) { try decode(changed, [.gzip]) }
    }

    @Test func `a body beyond the limit is too large, and a body of exactly the limit is not`() throws {
        #expect(try decode(gzip(text), [.gzip], limit: text.count) == text)
        #expect(throws: ContentDecodingError.tooLarge) { try decode(gzip(text), [.gzip], limit: text.count - 1) }
        // Also between two codings.
        let zeros = gzip(gzip([UInt8](repeating: 0, count: 8 << 20)))
        #expect(zeros.count < 2000)
        #expect(throws: ContentDecodingError.tooLarge) { try decode(zeros, [.gzip, .gzip], limit: 10_000) }
    }

    @Test func `decoded bytes are charged before they are allocated`() throws {
        let budget = MemoryBudget(limit: 200 << 10)
        #expect(throws: ContentDecodingError.memoryExhausted) { try decode(gzip(text), [.gzip], budget: budget) }
        #expect(budget.used == 0)
        let charge = try #require(budget.reserve(1000))
        do {
            let small = Array(text.prefix(100_000))
            let (bytes, decoded) = try ContentDecoder(limit: 1 << 20).decode(gzip(small), [.gzip], charge: charge)
            #expect(bytes == small && decoded.bytes == small.count - BodyBuffer.freeBytes)
            #expect(budget.used == 1000 + decoded.bytes)
        }
        #expect(budget.used == 1000)
    }

    @Test func `decoding stops when the body is no longer wanted`() throws {
        let charge = try #require(MemoryBudget(limit: .max).reserve(0))
        let bomb = gzip([UInt8](repeating: 0, count: 16 << 20))
        var asked = 0
        let decoder = ContentDecoder(limit: 16 << 20) {
            asked += 1
            return asked > 3
        }
        #expect(throws: ContentDecodingError.stopped) { try decoder.decode(bomb, [.gzip], charge: charge) }
    }

    @Test func `random bytes never decode beyond the limit`() throws {
        var random = SeededGenerator(seed: 11)
        let whole = gzip(Array(text.prefix(5000)))
        for _ in 0..<500 {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(in: 0...255, using: &random)
            }
            if let decoded = try? decode(bytes, [.gzip], limit: 6000) { #expect(decoded.count <= 6000) }
            if let decoded = try? decode(bytes, [.deflate], limit: 6000) { #expect(decoded.count <= 6000) }
        }
    }
}
