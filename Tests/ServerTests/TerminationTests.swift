import Foundation
import Logging
import Testing

@testable import Server

/// The process ends in time after a signal, even if its threads are stuck.
@Suite struct TerminationTests {
    @Test(
        arguments: [
            (1, true, 30, 31.5), (1, true, 0, 1.5), (1, false, 30, 0.8), (2, true, 30, 0.8), (3, true, 86400, 0.8),
        ] as [(Int, Bool, Int, Double)])
    func `the allowance is the drain timeout and less than two seconds, and less than one after a second signal`(
        signals: Int, isServing: Bool, drainTimeout: Int, seconds: Double
    ) {
        let allowance = Termination.allowance(
            signals: signals, isServing: isServing, drainTimeout: .seconds(drainTimeout))
        #expect(allowance == .seconds(seconds))
    }

    @Test func `a process that has not ended by then is ended with code 1`() async {
        let (ends, end) = AsyncStream<Int32>.makeStream()
        let termination = Termination(
            drainTimeout: .seconds(3600), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        ) { end.yield($0) }
        termination.startedServing()
        let begin = ContinuousClock.now
        termination.signalled()
        termination.signalled()
        var iterator = ends.makeAsyncIterator()
        #expect(await iterator.next() == 1)
        #expect(ContinuousClock.now - begin >= .milliseconds(800))
    }
}
