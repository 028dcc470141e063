import Foundation
import TestSupport
import Testing

/// Simulations of the whole server. Their ability to find errors was checked by introducing some: with a decaying finish rate
/// in the estimate of waits, as in an earlier version, a simulation traps; others fail with preparation or masks in order of
/// arrival, without minimum rates of bodies, with bodies that are not charged, and with a drain that closes no connection.
///
/// A failure reports its seed: `SIMULATION_SEED=4711 SIMULATION_LIVES=1 make simulate` runs it again.
@Suite struct ServerSimulationTests {
    private static func number(_ name: String) -> UInt64? {
        ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) }
    }

    @Test func `every simulation satisfies all properties`() throws {
        let first = Self.number("SIMULATION_SEED") ?? 1
        let lives = Self.number("SIMULATION_LIVES") ?? TestEffort.count(200, all: 1000)
        var failures = 0
        var statuses: [Int: Int] = [:]
        var occurrences: [ServerSimulation.Occurrence: Int] = [:]
        for seed in first..<first + lives {
            let life = try ServerSimulation(seed: seed)
            do {
                try life.run()
            } catch {
                Issue.record("seed \(seed), event \(life.events): \(error)")
                failures += 1
                guard failures < 5 else { return }
            }
            statuses.merge(life.statuses) { $0 + $1 }
            occurrences.merge(life.occurrences) { $0 + $1 }
        }
        guard lives >= 100 else { return }
        // Together the simulations must have all events.
        for status in [200, 400, 401, 429, 500, 503, 504] {
            #expect(statuses[status] ?? 0 > lives / 20, "\(status): \(statuses)")
        }
        guard lives >= 200 else { return }
        for occurrence in ServerSimulation.Occurrence.allCases {
            #expect(occurrences[occurrence] ?? 0 > lives / 200, "\(occurrence): \(occurrences)")
        }
    }

    @Test func `the same seed gives the same simulation`() throws {
        for seed in 1...40 as ClosedRange<UInt64> {
            let lives = try (0..<2).map { _ in try ServerSimulation(seed: seed) }
            for life in lives { try life.run() }
            #expect(lives[0].events == lives[1].events && lives[0].statuses == lives[1].statuses, "seed \(seed)")
        }
    }
}
