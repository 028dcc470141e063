import Foundation
import Testing

/// Lives of the whole server. A failure names its seed: `SIMULATION_SEED=4711 SIMULATION_LIVES=1 make simulate` runs it again.
@Suite struct ServerSimulationTests {
    private static func number(_ name: String) -> UInt64? {
        ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) }
    }

    @Test func `every life keeps all promises`() throws {
        let first = Self.number("SIMULATION_SEED") ?? 1
        let lives = Self.number("SIMULATION_LIVES") ?? 1000
        var statuses: [Int: Int] = [:]
        for seed in first..<first + lives {
            let life = try ServerSimulation(seed: seed)
            do {
                try life.run()
            } catch {
                Issue.record("seed \(seed), event \(life.events): \(error)")
                return
            }
            statuses.merge(life.statuses) { $0 + $1 }
        }
        guard lives >= 100 else { return }
        // Lives are varied enough to meet all of it.
        for status in [200, 400, 401, 429, 500, 503, 504] {
            #expect(statuses[status] ?? 0 > lives / 20, "\(status): \(statuses)")
        }
    }
}
