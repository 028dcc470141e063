import Foundation
import Scheduling
import Synchronization
import Testing

@testable import Engine

@Suite struct EngineMailboxTests {
    private func request(_ id: UInt64) -> GenerationRequest {
        GenerationRequest(
            id: SequenceID(id), promptIDs: [1], sampling: SamplingParameters(), stop: StopConditions(), maxTokens: 1)
    }

    @Test func `submissions over the capacity are refused as a whole`() {
        let mailbox = EngineMailbox(capacity: 3)
        #expect(mailbox.submit([request(1), request(2)]))
        #expect(!mailbox.submit([request(3), request(4)]))
        #expect(mailbox.submit([request(5)]))
        #expect(mailbox.take(waits: false).submitted.map(\.id.rawValue) == [1, 2, 5])
        #expect(mailbox.submit([request(6), request(7), request(8)]))
    }

    @Test func `a reader is woken without a command`() {
        let mailbox = EngineMailbox(capacity: 3)
        Thread.detachNewThread {
            usleep(20_000)
            mailbox.wake()
        }
        let taken = mailbox.take(waits: true)
        #expect(taken.isWoken && taken.isEmpty)
        #expect(!mailbox.take(waits: false).isWoken)
    }

    @Test func `a deadline ends the wait`() {
        let mailbox = EngineMailbox(capacity: 3)
        let begin = ContinuousClock.now
        #expect(mailbox.take(waits: true, until: begin + .milliseconds(30)).isEmpty)
        #expect(ContinuousClock.now - begin >= .milliseconds(30))
        #expect(mailbox.take(waits: true, until: begin).isEmpty)
    }

    @Test func `nothing is accepted after stop`() {
        let mailbox = EngineMailbox(capacity: 3)
        mailbox.stop()
        #expect(!mailbox.submit([request(1)]))
        #expect(mailbox.take(waits: true).stops)
        #expect(!mailbox.submit([request(1)]))
    }

    @Test func `a waiting reader wakes for each kind of arrival`() async {
        let mailbox = EngineMailbox(capacity: 3)
        let taken = await withCheckedContinuation { (continuation: CheckedContinuation<[Int], Never>) in
            Thread.detachNewThread {
                var counts: [Int] = []
                while true {
                    let content = mailbox.take(waits: true)
                    counts.append(content.submitted.count + content.aborted.count)
                    if content.stops { return continuation.resume(returning: counts) }
                }
            }
            _ = mailbox.submit([request(1)])
            mailbox.abort([SequenceID(1)])
            mailbox.stop()
        }
        #expect(taken.reduce(0, +) == 2)
    }

    @Test func `events of one sequence merge, and the reader is woken once`() {
        let wakes = Mutex(0)
        let outbox = EngineOutbox { wakes.withLock { $0 += 1 } }
        var first = TokenEvent(sequence: SequenceID(1))
        first.text = "a"
        var second = first
        second.text = "b"
        second.finish = .length
        outbox.post([first, TokenEvent(sequence: SequenceID(2))], EngineStatistics())
        outbox.post([second], EngineStatistics())
        let report = outbox.take()
        #expect(report.events.map(\.sequence.rawValue) == [1, 2])
        #expect(report.events[0].text == "ab")
        #expect(report.events[0].finish == .length)
        #expect(wakes.withLock { $0 } == 1)
        #expect(outbox.take().events.isEmpty)
        outbox.post([first], EngineStatistics())
        #expect(wakes.withLock { $0 } == 2)
    }
}
