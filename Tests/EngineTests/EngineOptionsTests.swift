import Foundation
import Testing

@testable import Engine

/// The resources that the engine uses at start.
@Suite struct EngineOptionsTests {
    @Test(
        arguments: [
            (nil, 2, nil, nil), (1, 2, 1, nil), (2, 2, 2, nil), (1000, 2, 2, "--threads 1000 reduced to 2"),
            (2, 1, 1, "--threads 2 reduced to 1"),
        ]
            as [(Int?, Int, Int?, String?)])
    func `there are at most as many threads as CPUs`(asked: Int?, available: Int, threads: Int?, warning: String?) {
        var options = EngineOptions(modelDirectory: URL(fileURLWithPath: "/"))
        options.threads = asked
        #expect(
            options.limitThreads(to: available) == warning.map { "\($0), the CPUs that this process may use" })
        #expect(options.threads == threads)
    }
}
