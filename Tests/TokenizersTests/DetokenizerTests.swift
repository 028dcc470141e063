import TestSupport
import Testing

@testable import Tokenizers

@Suite struct DetokenizerTests {
    @Test(arguments: TokenizerVectors.kinds)
    func `ids decode to the text of the reference`(kind: String) throws {
        let vectors = try TokenizerVectors(kind: kind)
        let decodings = vectors.cases.map(\.decoding) + vectors.decodeCases
        #expect(decodings.count > 240)
        for test in decodings {
            let text = vectors.tokenizer.decode(test.ids, skipSpecialTokens: false)
            #expect(sameBytes(text, test.text), "\(test.ids)")
            let plain = vectors.tokenizer.decode(test.ids, skipSpecialTokens: true)
            #expect(sameBytes(plain, test.textWithoutSpecialTokens), "\(test.ids)")
        }
    }

    @Test(arguments: TokenizerVectors.kindsWithExactStreams)
    func `a stream has the pieces of the reference`(kind: String) throws {
        let vectors = try TokenizerVectors(kind: kind)
        let streamed = (vectors.cases.map(\.decoding) + vectors.decodeCases).filter { $0.stream != nil }
        #expect(streamed.count > 240)
        for test in streamed {
            #expect(pieces(of: test, vectors.tokenizer) == test.stream, "\(test.ids)")
        }
    }

    /// The reference's stream decodes a window again and again: it can be late, and it fails when its window changes.
    @Test(arguments: TokenizerVectors.kindsWithoutExactStreams)
    func `a stream is the text of the reference, and no later than its stream`(kind: String) throws {
        let vectors = try TokenizerVectors(kind: kind)
        let decodings = vectors.cases.map(\.decoding) + vectors.decodeCases
        var same = 0
        for test in decodings {
            let pieces = pieces(of: test, vectors.tokenizer)
            let text = pieces.joined()
            // If bytes are invalid, the reference takes back the characters before them.
            let hasWrongBytes = test.textWithoutSpecialTokens.unicodeScalars.contains("\u{FFFD}")
            if !hasWrongBytes {
                #expect(sameBytes(text, test.textWithoutSpecialTokens), "\(test.ids)")
                same += 1
            }
            var given = 0
            var expected = 0
            for (piece, reference) in zip(pieces, test.referenceStream ?? []) {
                given += piece.utf8.count
                expected += reference.utf8.count
                #expect(given >= expected || hasWrongBytes || kind == "flags_torture", "\(test.ids)")
            }
        }
        #expect(same > 200)
    }

    private func pieces(of test: TokenizerVectors.DecodeCase, _ tokenizer: Tokenizer) -> [String] {
        var detokenizer = IncrementalDetokenizer(tokenizer: tokenizer, skipSpecialTokens: true)
        let pieces = test.ids.map { detokenizer.append($0) } + [detokenizer.flush()]
        for piece in pieces { #expect(String(validating: piece, as: UTF8.self) != nil, "\(test.ids)") }
        return pieces.map { String(decoding: $0, as: UTF8.self) }
    }

    @Test(arguments: ["trinity_like", "llama3_like"])
    func `decoding reproduces any text`(kind: String) throws {
        let tokenizer = try TokenizerVectors(kind: kind).tokenizer
        var random = SeededGenerator(seed: 5)
        for _ in 0..<300 {
            var text = ""
            for _ in 0..<random.next(below: 60) {
                let limit = [0x80, 0x800, 0x1_0000, 0x11_0000][random.next(below: 4)]
                text.unicodeScalars.append(Unicode.Scalar(UInt32(random.next(below: limit))) ?? " ")
            }
            let ids = tokenizer.encode(text, addSpecialTokens: false)
            #expect(sameBytes(tokenizer.decode(ids, skipSpecialTokens: false), text), "\(text.debugDescription)")
        }
    }

    @Test func `ids without a token add nothing`() throws {
        let tokenizer = try TokenizerVectors(kind: "trinity_like").tokenizer
        for id in [-1, Int32.min, Int32(tokenizer.vocabularySize), Int32.max] {
            #expect(tokenizer.bytes(of: id, skipSpecialTokens: false) == [])
            #expect(tokenizer.decode([id], skipSpecialTokens: false) == "")
            #expect(tokenizer.token(of: id) == nil)
            #expect(!tokenizer.isSpecial(id))
        }
    }

    /// The standard library is another implementation of "one U+FFFD for each maximal part".
    @Test func `random bytes in random parts decode like in the standard library`() {
        let interesting: [UInt8] = [
            0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xED, 0xEF, 0xF0, 0xF1,
            0xF4, 0xF5, 0xFF,
        ]
        var random = SeededGenerator(seed: 4)
        for _ in 0..<20_000 {
            let bytes = (0..<random.next(below: 9)).map { _ in interesting[random.next(below: interesting.count)] }
            let cut = random.next(below: bytes.count + 1)
            var repair = UTF8Repair()
            let first = repair.append(bytes[..<cut])
            let second = repair.append(bytes[cut...])
            #expect(String(validating: first, as: UTF8.self) != nil, "\(bytes) at \(cut)")
            let expected = Array(String(decoding: bytes, as: UTF8.self).utf8)
            #expect(first + second + repair.flush() == expected, "\(bytes) at \(cut)")
        }
    }
}
