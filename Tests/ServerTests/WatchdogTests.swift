import Engine
import Logging
import Scheduling
import Synchronization
import Testing

@testable import Server

/// An engine that does not finish its step is detected, and its recovery too.
@Suite struct WatchdogTests {
    /// A scripted engine step.
    private final class FakeEngine: Sendable {
        let step = Mutex<RunningStep?>(nil)
    }

    private let engine = FakeEngine()
    private let begin = ContinuousClock.now

    private func watchdog(timeout: Duration = .seconds(60)) -> Watchdog {
        Watchdog(timeout: timeout, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }) { [engine] in
            engine.step.withLock(\.self)
        }
    }

    private func enter(_ number: UInt64, at time: Duration) {
        engine.step.withLock { $0 = RunningStep(number: number, began: begin + time) }
    }

    @Test func `only a step that exceeds the timeout is stalled`() {
        let watchdog = watchdog()
        enter(1, at: .zero)
        for (time, isStalled) in [(0, false), (60, false), (61, true), (3600, true)] {
            watchdog.look(now: begin + .seconds(time))
            #expect(watchdog.isStalled == isStalled, "after \(time) s")
        }
    }

    @Test(arguments: [true, false])
    func `the end of a stalled step is a recovery, whether another follows or not`(another: Bool) {
        let watchdog = watchdog()
        enter(1, at: .zero)
        watchdog.look(now: begin + .seconds(61))
        #expect(watchdog.isStalled)
        if another { enter(2, at: .seconds(62)) } else { engine.step.withLock { $0 = nil } }
        watchdog.look(now: begin + .seconds(63))
        #expect(!watchdog.isStalled)
    }

    @Test func `consecutive steps are not one long step`() {
        let watchdog = watchdog()
        for second in 0..<600 {
            enter(UInt64(second / 50 + 1), at: .seconds(second / 50 * 50))
            watchdog.look(now: begin + .seconds(second))
            #expect(!watchdog.isStalled)
        }
    }

    @Test func `a stalled step that is followed by a stalled step stays stalled`() {
        let watchdog = watchdog()
        enter(1, at: .zero)
        watchdog.look(now: begin + .seconds(61))
        enter(2, at: .seconds(62))
        watchdog.look(now: begin + .seconds(200))
        #expect(watchdog.isStalled)
    }

    @Test func `it checks by itself`() async throws {
        let watchdog = watchdog(timeout: .milliseconds(20))
        enter(1, at: .zero)
        try watchdog.start()
        let deadline = ContinuousClock.now + .seconds(300)
        while !watchdog.isStalled, ContinuousClock.now < deadline { try await Task.sleep(for: .milliseconds(5)) }
        watchdog.stop()
        #expect(watchdog.isStalled)
    }
}
