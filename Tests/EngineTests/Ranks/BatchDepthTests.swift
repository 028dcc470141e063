import Testing

@testable import Engine

@Suite struct BatchDepthTests {
    private static func depth(_ milliseconds: [Int], steps: Int = 1) -> Int {
        var depth = BatchDepth()
        for _ in 0..<steps { depth.observe(milliseconds.map { .milliseconds($0) }) }
        return depth.value(stages: milliseconds.count)
    }

    @Test func `equal stages take as many batches as there are stages`() {
        #expect(Self.depth([10, 10, 10, 10]) == 4)
        #expect(BatchDepth().value(stages: 3) == 3)
    }

    @Test func `a slow stage takes fewer, since it is always busy`() {
        #expect(Self.depth([10, 1, 1, 1]) == 1)
        #expect(Self.depth([10, 30, 10, 10]) == 2)
        #expect(Self.depth([0, 0]) == 2)
    }

    /// The round of all batches is never longer than with one, even if a batch of fewer tokens takes a stage as long.
    @Test func `rounds do not get longer by more than half a stage`() {
        for times in [[7, 3], [5, 4, 4], [9, 2, 8, 1], [6, 6, 5, 5, 1]] {
            let (all, slowest) = (times.reduce(0, +), times.max() ?? 0)
            #expect(2 * max(Self.depth(times) * slowest, all) <= 2 * all + slowest)
        }
    }

    @Test func `slow messages take one more, since no stage is busy meanwhile`() {
        var depth = BatchDepth()
        for _ in 0..<100 { depth.observe([.milliseconds(2), .milliseconds(2)], messages: .milliseconds(2)) }
        #expect(depth.value(stages: 2) == 3)
        // Messages of some steps are not known.
        for _ in 0..<100 { depth.observe([.milliseconds(2), .milliseconds(2)]) }
        #expect(depth.value(stages: 2) == 3)
        for _ in 0..<100 { depth.observe([.milliseconds(2), .milliseconds(2)], messages: .milliseconds(60)) }
        #expect(depth.value(stages: 2) == 3)
        for _ in 0..<100 { depth.observe([.milliseconds(2), .milliseconds(2)], messages: .zero) }
        #expect(depth.value(stages: 2) == 2)
    }

    @Test func `the number follows the times`() {
        var depth = BatchDepth()
        depth.observe([.milliseconds(10), .milliseconds(10)])
        for _ in 0..<100 { depth.observe([.milliseconds(10), .milliseconds(1)]) }
        #expect(depth.value(stages: 2) == 1)
        for _ in 0..<100 { depth.observe([.milliseconds(10), .milliseconds(9)]) }
        #expect(depth.value(stages: 2) == 2)
    }
}
