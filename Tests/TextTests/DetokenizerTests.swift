import TestSupport
import Testing

@testable import Text

@Suite struct DetokenizerTests {
    @Test(arguments: TokenizerVectors.kinds)
    func `ids have the text of the reference`(kind: String) throws {
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

    @Test(arguments: TokenizerVectors.kinds)
    func `a stream has the pieces of the reference`(kind: String) throws {
        let vectors = try TokenizerVectors(kind: kind)
        let streamed = (vectors.cases.map(\.decoding) + vectors.decodeCases).filter { $0.stream != nil }
        #expect(streamed.count > 240)
        for test in streamed {
            var detokenizer = IncrementalDetokenizer(tokenizer: vectors.tokenizer, skipSpecialTokens: true)
            let pieces = test.ids.map { detokenizer.append($0) } + [detokenizer.flush()]
            #expect(pieces == test.stream?.map { Array($0.utf8) }, "\(test.ids)")
        }
    }

    @Test(arguments: ["trinity_like", "llama3_like"])
    func `any text comes back whole`(kind: String) throws {
        let tokenizer = try TokenizerVectors(kind: kind).tokenizer
        var random = Generator(state: 5)
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

    /// The standard library is the other implementation of "one U+FFFD for each maximal part".
    @Test func `random bytes in random parts become what the standard library makes of them`() {
        let interesting: [UInt8] = [
            0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xED, 0xEF, 0xF0, 0xF1,
            0xF4, 0xF5, 0xFF,
        ]
        var random = Generator(state: 4)
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
