import Testing

@testable import Basics

@Suite struct ProgressMeterTests {
    /// The output for a task of `seconds` that reports its progress once a second.
    private func output(isTerminal: Bool, seconds: Int) -> (bars: [String], lines: [String]) {
        var (bars, lines): ([String], [String]) = ([], [])
        var time = Duration.zero
        let meter = ProgressMeter(
            "loading", isTerminal: isTerminal, now: { time }, write: { bars.append($0) },
            writeLine: { lines.append($0) })
        for second in 1..<max(seconds, 2) {
            time = .seconds(second)
            if seconds > 1 { meter.update(Double(second) / Double(seconds)) }
        }
        meter.finish()
        return (bars, lines)
    }

    @Test func `a log gets a line every five seconds`() {
        let (bars, lines) = output(isTerminal: false, seconds: 20)
        #expect(bars.isEmpty)
        #expect(lines == ["loading: 25 %", "loading: 50 %", "loading: 75 %"])
    }

    @Test func `a terminal gets a bar that is removed at the end`() {
        let (bars, lines) = output(isTerminal: true, seconds: 4)
        #expect(lines.isEmpty)
        #expect(bars.count == 4)
        #expect(bars[1].hasPrefix("\rloading [####################....................] 50 %"))
        #expect(bars[3] == "\r\u{1B}[K")
    }

    @Test func `a detail follows the percentage`() {
        var output: [String] = []
        for isTerminal in [true, false] {
            var time = Duration.zero
            let meter = ProgressMeter(
                "loading", isTerminal: isTerminal, now: { time }, write: { output.append($0) },
                writeLine: { output.append($0) })
            time = .seconds(6)
            meter.update(0.5, detail: "1 of 2 GB")
        }
        #expect(output[0].hasSuffix("] 50 %, 1 of 2 GB\u{1B}[K") && output[1] == "loading: 50 %, 1 of 2 GB")
    }

    @Test func `a short task has no output`() {
        #expect(output(isTerminal: true, seconds: 1).bars.isEmpty)
        #expect(output(isTerminal: false, seconds: 4).lines.isEmpty)
    }
}
