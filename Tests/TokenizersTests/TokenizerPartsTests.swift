import Foundation
import TestSupport
import Testing

@testable import JSON
@testable import Tokenizers

@Suite struct TokenizerPartsTests {
    private static let llama3 =
        #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"#
        + #"|\s*[\r\n]+|\s+(?!\S)|\s+"#

    @Test func `the character classes equal the reference's`() throws {
        let reference = try Fixtures.json("text/classes_onig.json")
        let classes: [(String, CharacterClass)] = [
            ("L", .letter), ("N", .number), ("Nd", .decimalDigit), ("M", .mark), ("P", .punctuation), ("S", .symbol),
            ("s", .space), ("w", .word), ("Ll", .lowercase),
        ]
        var found = [[ClosedRange<UInt32>]](repeating: [], count: classes.count)
        for run in runs() {
            for (index, (_, members)) in classes.enumerated() where members.intersects(run.kind) {
                if let last = found[index].last, last.upperBound + 1 == run.range.lowerBound {
                    found[index][found[index].count - 1] = last.lowerBound...run.range.upperBound
                } else {
                    found[index].append(run.range)
                }
            }
        }
        for ((name, _), ranges) in zip(classes, found) {
            let expected = reference[name]?.array?.compactMap { range in
                range[0]?.integer.flatMap { first in range[1]?.integer.map { UInt32(first)...UInt32($0) } }
            }
            #expect(ranges == expected, "\(name)")
        }
    }

    /// Adjacent code points of the same category, in order.
    private func runs() -> [(kind: CharacterClass, range: ClosedRange<UInt32>)] {
        let classes = CharacterClasses.unicode16
        var result: [(kind: CharacterClass, range: ClosedRange<UInt32>)] = []
        var start: UInt32 = 0
        for scalar in 1...UInt32(0x110000) {
            if scalar < 0x110000, classes[scalar] == classes[start] { continue }
            result.append((classes[start], start...scalar - 1))
            start = scalar
        }
        return result
    }

    @Test(
        arguments: [
            (#"\p{Nd}{1,3}(?=(?:\p{Nd}{3})*(?!\p{Nd}))"#, "1234567 12 ٣٤٥٦", ["1", "234", "567", "12", "٣", "٤٥٦"]),
            (#"(?=(?:\p{Nd}{3})+(?!\p{Nd}))"#, "1234567 12 123", ["", "", ""]),
            (#"\p{N}{1,3}"#, "12345½", ["123", "45½"]), ("[а-я-]+", "где-то", nil),
            ("[^а-я]+", "где", nil),
            ("[а-яё]+", "ещё раз", ["ещё", "раз"]),
            (
                #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#, "it's  an\n\n 'S12!",
                ["it", "'s", " ", " an", "\n\n", " '", "S", "12", "!"]
            ),
            (
                TokenizerPartsTests.llama3, "I\u{2019}d IT'S it'\u{17F}t 'q",
                ["I", "\u{2019}d", " IT", "'S", " it", "'\u{17F}", "t", " '", "q"]
            ),
            (TokenizerPartsTests.llama3, "a \u{3000} b\r\n \n  c", ["a", " \u{3000}", " b", "\r\n \n", " ", " c"]),
            (TokenizerPartsTests.llama3, "12345 !?\n\nx\t", ["123", "45", " !?\n\n", "x", "\t"]),
        ] as [(String, String, [String]?)])
    func `a pattern finds its matches`(regex: String, text: String, matches: [String]?) {
        let bytes = Array(text.utf8)
        let found = SplitPattern(regex: regex).map { self.matches(of: $0, in: bytes) }
        #expect(found?.map { String(decoding: bytes[$0], as: UTF8.self) } == matches)
    }

    private func matches(of pattern: SplitPattern, in bytes: [UInt8]) -> [Range<Int>] {
        var matches: [Range<Int>] = []
        bytes.withReader { pattern.forEachMatch(in: $0) { matches.append($0) } }
        return matches
    }

    /// ICU agrees with the reference's engine on all classes that the patterns use.
    @Test(arguments: SplitPattern.known.keys.map { String(decoding: $0, as: UTF8.self) }.sorted())
    func `a scanner finds the same matches as a regular expression engine`(regex: String) throws {
        let characters =
            "aZsStTlLrReE'’ſKǅʰªא日ก\u{301}\u{903}0٣½Ⅷ²_.,/!$+\u{24B6} \u{A0}\u{3000}\t\r\n\u{85}\u{7}\u{200D}🚀"
        let letters = Array(characters.unicodeScalars)
        let scanner = try #require(SplitPattern(regex: regex))
        let engine = try NSRegularExpression(pattern: RegexDialect.icuPattern(of: regex))
        var random = SeededGenerator(seed: 3)
        for _ in 0..<800 {
            var text = ""
            for _ in 0..<random.next(below: 14) {
                text.unicodeScalars.append(letters[random.next(below: letters.count)])
            }
            let bytes = Array(text.utf8)
            let found = matches(of: scanner, in: bytes).map { [$0.lowerBound, $0.upperBound] }
            let whole = NSRange(text.startIndex..., in: text)
            let expected = engine.matches(in: text, range: whole).map { match in
                let start = text.utf16.index(text.startIndex, offsetBy: match.range.location)
                let end = text.utf16.index(start, offsetBy: match.range.length)
                return [start, end].map { text.utf8.distance(from: text.startIndex, to: $0) }
            }
            #expect(found == expected, "\(text.debugDescription)")
        }
    }

    @Test(
        arguments: [
            ("x<a>y", false, "x 1 y"), ("<ab>", false, "2"), ("<ab", false, "<ab"), ("<a<ab>", false, "<a 2"),
            ("x [l] y", false, "x 3  y"), ("x [r] \u{3000}y", false, "x  4 y"),
            ("word word's words", false, "5   5 's words"),
            ("[r] [l]", false, "4 3"), ("x [l]", true, "x [l]"), ("<a>[r]", true, "1 [r]"), ("", false, ""),
            ("r]", true, "6"), ("[r]r]", true, "[r] 6"),
        ] as [(String, Bool, String)])
    func `added tokens are found according to their flags`(text: String, specialTokensAsText: Bool, expected: String)
        throws
    {
        let json: JSONValue = [
            ["id": 1, "content": "<a>", "special": false], ["id": 2, "content": "<ab>", "special": false],
            ["id": 3, "content": "[l]", "special": true, "lstrip": true],
            ["id": 4, "content": "[r]", "special": true, "rstrip": true],
            ["id": 5, "content": "word", "special": false, "single_word": true],
            ["id": 6, "content": "r]", "special": false],
        ]
        var vocabulary = Vocabulary()
        try vocabulary.insert(Array("a".utf8), id: 0)
        let tokens = try AddedToken.parse(TokenizerMember(path: "added", value: json), into: &vocabulary)
        let matcher = AddedTokenMatcher(tokens) { Array($0.content.utf8) }
        let bytes = Array(text.utf8)
        let trust = TrustMap(count: bytes.count, isTrusted: !specialTokensAsText)
        let parts = bytes.withReader({ matcher.split($0, trust: trust) }).map { part in
            switch part {
            case .token(let id): String(id)
            case .text(let range): String(decoding: bytes[range], as: UTF8.self)
            }
        }
        #expect(parts.joined(separator: " ") == expected)
    }

    @Test func `short and long pieces are merged like by a simple implementation`() {
        var random = SeededGenerator(seed: 11)
        for round in 0..<300 {
            var merges = MergeTable(capacity: 40)
            for rank in 0..<random.next(below: 40) {
                // Symbols 0 to 3 are given; each rule's result may be part of later rules.
                let known = 4 + rank
                merges.set(
                    left: Int32(random.next(below: known)), right: Int32(random.next(below: known)), rank: rank,
                    merged: Int32(known))
            }
            let symbols = (0..<random.next(below: 120)).map { _ in Int32(random.next(below: 3)) }
            var merger = PieceMerger()
            merger.symbols = symbols
            merger.merge(by: merges)
            #expect(merger.symbols == plainMerge(symbols, merges), "round \(round)")
        }
    }

    private func plainMerge(_ symbols: [Int32], _ merges: MergeTable) -> [Int32] {
        var symbols = symbols
        while symbols.count > 1 {
            let rules = (1..<symbols.count).map { merges[symbols[$0 - 1], symbols[$0]] }
            guard let best = rules.min(), best != MergeTable.none, let index = rules.firstIndex(of: best) else { break }
            symbols.replaceSubrange(index...index + 1, with: [Int32(truncatingIfNeeded: best)])
        }
        return symbols
    }
}
