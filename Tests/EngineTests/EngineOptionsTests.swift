import Foundation
import Testing

@testable import Engine

/// What start-up takes of the machine.
@Suite struct EngineOptionsTests {
    @Test(
        arguments: [(nil, 2, nil, nil), (1, 2, 1, nil), (2, 2, 2, nil), (1000, 2, 2, 1000), (2, 1, 1, 2)]
            as [(Int?, Int, Int?, Int?)])
    func `threads are at most the CPUs`(asked: Int?, available: Int, threads: Int?, lowered: Int?) {
        var options = EngineOptions(modelDirectory: URL(fileURLWithPath: "/"))
        options.threads = asked
        #expect(options.limitThreads(to: available) == lowered)
        #expect(options.threads == threads)
    }

    @Test(arguments: [(0, 16 << 20), (12 << 20, 16 << 20), (53 << 20, 53 << 20), (1 << 40, 256 << 20)])
    func `the probe of bandwidth takes no more than the weights, within its bounds`(weights: Int, bytes: Int) {
        #expect(EngineLoader.probedBytes(weights: weights) == bytes)
    }
}
