import Foundation
import Grammars
import Scheduling
import Synchronization
import TestSupport
import Testing

@testable import Engine

/// The order of requests, and how they end.
@Suite struct MaskWorkersTests {
    private static let hostile = SequenceID(1)

    /// Records the slices of each sequence; those with ids below 100 never finish.
    private final class Slices: Sendable {
        private let log = Mutex<[SequenceID]>([])

        var all: [SequenceID] { log.withLock { $0 } }

        func run(
            _ id: SequenceID, _ computation: inout GrammarStepComputation, _ units: Int, _ isCancelled: () -> Bool
        ) -> Result<GrammarStep, GrammarLimit>? {
            log.withLock { $0.append(id) }
            usleep(1000)
            return id.rawValue < 100 ? nil : computation.run(units: units, isCancelled: isCancelled)
        }
    }

    private let slices = Slices()
    private let workers: MaskWorkers

    init() throws {
        workers = MaskWorkers(runner: { [slices] in slices.run($0, &$1, $2, $3) }, wake: {})
        try workers.start(threads: 1)
    }

    /// A chain of a grammar without known steps.
    private func unknownChain() throws -> GrammarChain {
        let trie = VocabularyTrie(tokens: (UInt8(ascii: "a")...UInt8(ascii: "z")).map { [$0] })
        return GrammarChain(GrammarMatcher(try GrammarSource.regex("[a-f]+").compile(trie)))
    }

    private func wait(for condition: () -> Bool) -> Bool {
        for _ in 0..<10_000 {
            if condition() { return true }
            usleep(1000)
        }
        return false
    }

    @Test func `an endless request delays another one only by its current slice`() throws {
        workers.ask(Self.hostile, tenant: "", try unknownChain())
        #expect(wait { slices.all.count > 5 })
        for number in 102...105 as ClosedRange<UInt64> {
            let modest = SequenceID(number)
            let before = slices.all.count
            workers.ask(modest, tenant: "", try unknownChain())
            #expect(wait { slices.all.contains(modest) })
            let between = slices.all[before...].prefix { $0 != modest }
            #expect(between.count <= 2, "\(between)")
        }
        workers.stop()
    }

    @Test func `tenants get equal time, even if one of them has more requests`() throws {
        for number in 10...13 as ClosedRange<UInt64> {
            workers.ask(SequenceID(number), tenant: "many", try unknownChain())
        }
        let other = SequenceID(20)
        workers.ask(other, tenant: "one", try unknownChain())
        #expect(wait { slices.all.count >= 120 })
        let ofOther = slices.all.dropFirst(20).prefix(100).filter { $0 == other }.count
        #expect((45...55).contains(ofOther), "\(ofOther) of 100 slices")
        workers.stop()
    }

    @Test func `a request ends with its sequence`() throws {
        workers.ask(Self.hostile, tenant: "", try unknownChain())
        #expect(wait { !slices.all.isEmpty })
        workers.drop(Self.hostile)
        usleep(5000)
        let count = slices.all.count
        usleep(20_000)
        #expect(slices.all.count == count && workers.takeAnswers().isEmpty)
        workers.stop()
    }

    @Test func `the answer is for the latest request`() throws {
        let id = SequenceID(107)
        workers.ask(id, tenant: "", try unknownChain())
        workers.ask(id, tenant: "", try unknownChain())
        var answer: GrammarChain?
        for _ in 0..<10_000 where answer == nil {
            usleep(1000)
            answer = workers.takeAnswers()[id]
        }
        let chain = try #require(answer)
        #expect(
            !chain.isPending && chain.known[0].mask?.contains(0) == true && chain.known[0].mask?.contains(20) == false)
        workers.drop(id)
        #expect(workers.takeAnswers().isEmpty)
        workers.stop()
    }
}
