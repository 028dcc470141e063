import TestSupport
import Testing

@testable import Server

@Suite struct LastOccurrenceTests {
    @Test func `it finds the same as a naive search`() {
        var random = SeededGenerator(seed: 7)
        for _ in 0..<5000 {
            let text = (0..<Int.random(in: 0...30, using: &random)).map { _ in UInt8.random(in: 97...98, using: &random)
            }
            let needle = (0..<Int.random(in: 1...5, using: &random)).map { _ in
                UInt8.random(in: 97...98, using: &random)
            }
            let naive = text.indices.reversed().first { text[$0...].starts(with: needle) }
            #expect(LastOccurrence.of(needle, in: text) == naive, "\(needle) in \(text)")
        }
        #expect(LastOccurrence.of([], in: [1]) == nil)
    }

    /// Comparing byte by byte from each position would take 10^11 steps.
    @Test func `a needle that almost matches everywhere is found in linear time`() {
        let needle = Array(repeating: UInt8(97), count: 200_000) + [98]
        let text = [98] + Array(repeating: UInt8(97), count: 1_000_000)
        #expect(LastOccurrence.of(needle, in: text) == nil)
        #expect(LastOccurrence.of(needle.reversed(), in: text) == 0)
    }
}
