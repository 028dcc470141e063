import TestSupport
import Testing

@testable import Engine

@Suite struct StopMatcherTests {
    @Test(
        arguments: [
            ("one two three", ["two"], "one ", "two"),
            ("one two", ["two", "one two"], "", "one two"),
            ("abcd", ["bcd", "bc"], "a", "bc"),
            ("abcd", ["d", "bcd", "cd"], "a", "bcd"),
            ("aab", ["ab"], "a", "ab"),
            ("xx\n\nyy", ["\n\n"], "xx", "\n\n"),
            ("e\u{301}\u{E9}!", ["\u{E9}"], "e\u{301}", "\u{E9}"),
            ("🚀🚁🚂", ["🚁"], "🚀", "🚁"),
            ("nothing", ["", "z"], "nothing", nil),
            ("nothing", [], "nothing", nil),
            ("ends in a beginning: <|im_", ["<|im_end|>"], "ends in a beginning: <|im_", nil),
        ] as [(String, [String], String, String?)])
    func `the stop string that is complete first ends the text`(
        text: String, stops: [String], before: String, stop: String?
    ) {
        let bytes = Array(text.utf8)
        for first in 0...bytes.count {
            for second in first...bytes.count {
                let parts = [bytes[..<first], bytes[first..<second], bytes[second...]].map { Array($0) }
                let result = run(StopMatcher(stops: stops), parts)
                #expect(result.text == Array(before.utf8), "\(first), \(second)")
                #expect(result.stop.map { Array($0.utf8) } == stop.map { Array($0.utf8) }, "\(first), \(second)")
            }
        }
    }

    @Test func `long stop strings cost no more than the text`() {
        let stops = (0..<16).map { String(repeating: "ab", count: 500_000) + "\($0)" }
        let text = Array(repeating: Array("xyabababab".utf8), count: 50)
        let time = ContinuousClock().measure {
            let result = run(StopMatcher(stops: stops), text)
            #expect(result.text == text.flatMap(\.self) && result.stop == nil)
        }
        #expect(time < .milliseconds(500), "\(time)")
    }

    @Test func `random texts in random parts match like a naive search`() {
        var random = SeededGenerator(seed: 20_251_125)
        for round in 0..<3000 {
            let stops = (0..<random.next(below: 5)).map { _ in random.text(below: 5, letters: 2) }
            let text = random.text(below: 30, letters: 3)
            var bytes = Array(text.utf8)[...]
            var parts: [[UInt8]] = []
            while !bytes.isEmpty {
                parts.append(Array(bytes.prefix(random.next(below: 6))))
                bytes = bytes.dropFirst(parts[parts.count - 1].count)
            }
            let result = run(StopMatcher(stops: stops), parts)
            let expected = naive(text, stops)
            #expect(result.text == expected.text, "round \(round): \(text) \(stops)")
            #expect(result.stop == expected.stop, "round \(round): \(text) \(stops)")
        }
    }

    @Test func `only what could become a stop string is held back`() {
        var random = SeededGenerator(seed: 7)
        for _ in 0..<500 {
            let stops = (0..<3).map { _ in random.text(below: 6, letters: 2) }.filter { !$0.isEmpty }
            var matcher = StopMatcher(stops: stops)
            var text: [UInt8] = []
            var released: [UInt8] = []
            for _ in 0..<20 {
                let part = Array(random.text(below: 3, letters: 3).utf8)
                text += part
                let output = matcher.append(part)
                released += output.text
                if output.match != nil { break }
                let held = stops.flatMap { stop in (0..<stop.utf8.count).map { Array(stop.utf8.prefix($0)) } }
                    .filter { text.suffix($0.count).elementsEqual($0) }.map(\.count).max()
                #expect(text.count - released.count == held ?? 0, "\(stops) \(text)")
            }
        }
    }

    @Test func `released text ends at a character boundary`() {
        let letters = ["a", "é", "è", "日", "旦", "🚀", "🚁"]
        var random = SeededGenerator(seed: 99)
        for _ in 0..<1000 {
            let stops = (0..<3).map { _ in (0..<2).map { _ in letters[random.next(below: 7)] }.joined() }
            var matcher = StopMatcher(stops: stops)
            for _ in 0..<12 {
                let output = matcher.append(Array(letters[random.next(below: 7)].utf8))
                #expect(String(validating: output.text, as: UTF8.self) != nil)
                if output.match != nil { break }
            }
            #expect(String(validating: matcher.flush(), as: UTF8.self) != nil)
        }
    }

    @Test func `nothing is released after a match`() {
        var matcher = StopMatcher(stops: ["b"])
        #expect(matcher.append(Array("abc".utf8)).match?.stop == "b")
        let after = matcher.append(Array("bbb".utf8))
        #expect(after.text.isEmpty && after.match == nil)
        #expect(matcher.flush().isEmpty)
    }

    @Test func `a periodic text costs no more than its length`() {
        // A search that starts over after each mismatch would compare 200 million bytes.
        let stop = String(repeating: "a", count: 2000) + "b"
        var matcher = StopMatcher(stops: [stop])
        let start = ContinuousClock.now
        for _ in 0..<100 { _ = matcher.append([UInt8](repeating: UInt8(ascii: "a"), count: 1000)) }
        #expect(ContinuousClock.now - start < .seconds(5))
        #expect(matcher.flush().count == 2000)
    }

    private func run(_ matcher: StopMatcher, _ parts: [[UInt8]]) -> (text: [UInt8], stop: String?) {
        var matcher = matcher
        var text: [UInt8] = []
        for part in parts {
            let output = matcher.append(part)
            text += output.text
            if let match = output.match { return (text, match.stop) }
        }
        return (text + matcher.flush(), nil)
    }

    private func naive(_ text: String, _ stops: [String]) -> (text: [UInt8], stop: String?) {
        let bytes = Array(text.utf8)
        for end in 0...bytes.count {
            let complete = stops.filter { !$0.isEmpty && bytes[..<end].suffix($0.utf8.count).elementsEqual($0.utf8) }
            if let stop = complete.max(by: { $0.utf8.count < $1.utf8.count }) {
                return (Array(bytes[..<(end - stop.utf8.count)]), stop)
            }
        }
        return (bytes, nil)
    }
}

extension SeededGenerator {
    /// A string of fewer than `bound` of the first `letters` of the alphabet.
    fileprivate mutating func text(below bound: Int, letters: Int) -> String {
        let bytes = (0..<next(below: bound)).map { _ in UInt8(ascii: "a") + UInt8(next(below: letters)) }
        return String(decoding: bytes, as: UTF8.self)
    }
}
