import TestSupport
import Testing

@testable import HTTP

@Suite struct TimerTableTests {
    private let start = ContinuousClock.now

    private func instant(_ milliseconds: Int) -> ContinuousClock.Instant { start + .milliseconds(milliseconds) }

    /// Removes the due timers; returns their number.
    private func take(_ timers: inout TimerTable, at milliseconds: Int) -> Int {
        var count = 0
        while timers.takeDue(at: instant(milliseconds)) != nil { count += 1 }
        return count
    }

    @Test func `timers are due once, and the table knows the next one`() {
        var timers = TimerTable()
        #expect(timers.next == nil && take(&timers, at: 1000) == 0)
        timers.add(TimerID(rawValue: 1), at: instant(30)) { _ in }
        timers.add(TimerID(rawValue: 2), at: instant(10)) { _ in }
        timers.add(TimerID(rawValue: 3), at: instant(20)) { _ in }
        #expect(timers.next == instant(10))
        #expect(take(&timers, at: 9) == 0 && take(&timers, at: 20) == 2)
        #expect(timers.next == instant(30))
        #expect(take(&timers, at: 40) == 1 && timers.next == nil)
    }

    @Test func `a removed timer is not due, even if the last search found it due`() {
        var timers = TimerTable()
        for number in 1...3 { timers.add(TimerID(rawValue: number), at: instant(number)) { _ in } }
        timers.remove(TimerID(rawValue: 1))
        #expect(timers.takeDue(at: instant(10)) != nil)
        timers.remove(TimerID(rawValue: 3))
        #expect(timers.takeDue(at: instant(10)) == nil && timers.next == nil)
    }

    @Test func `random timers are due as in a plain list`() {
        for seed in 0..<200 {
            var random = SeededGenerator(seed: UInt64(seed))
            var timers = TimerTable()
            var expected: [Int: Int] = [:]
            var now = 0
            for number in 0..<100 {
                switch Int.random(in: 0..<4, using: &random) {
                case 0, 1:
                    let due = now + Int.random(in: 1...50, using: &random)
                    timers.add(TimerID(rawValue: number), at: instant(due)) { _ in }
                    expected[number] = due
                case 2:
                    guard let removed = expected.keys.sorted().randomElement(using: &random) else { continue }
                    timers.remove(TimerID(rawValue: removed))
                    expected[removed] = nil
                default:
                    now += Int.random(in: 1...30, using: &random)
                    let due = expected.filter { $0.value <= now }
                    #expect(take(&timers, at: now) == due.count, "seed \(seed)")
                    for number in due.keys { expected[number] = nil }
                }
                // A search may be too early, but not too late.
                if let earliest = expected.values.min() {
                    #expect(timers.next.map { $0 <= instant(earliest) } == true, "seed \(seed)")
                } else {
                    #expect(timers.next == nil, "seed \(seed)")
                }
            }
        }
    }
}
