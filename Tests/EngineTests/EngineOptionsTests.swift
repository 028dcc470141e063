import Foundation
import Testing

@testable import Engine

/// The resources that the engine uses at start.
@Suite struct EngineOptionsTests {
    @Test(
        arguments: [(nil, 2, nil, nil), (1, 2, 1, nil), (2, 2, 2, nil), (1000, 2, 2, 1000), (2, 1, 1, 2)]
            as [(Int?, Int, Int?, Int?)])
    func `there are at most as many threads as CPUs`(asked: Int?, available: Int, threads: Int?, lowered: Int?) {
        var options = EngineOptions(modelDirectory: URL(fileURLWithPath: "/"))
        options.threads = asked
        #expect(options.limitThreads(to: available) == lowered)
        #expect(options.threads == threads)
    }
}
