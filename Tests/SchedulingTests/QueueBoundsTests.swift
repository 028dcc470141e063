import Scheduling
import Testing

@Suite struct QueueBoundsTests {
    @Test(
        arguments: [
            (QueueLoad(), 0, 0, 0), (QueueLoad(tokens: 300), 0, 0, 3), (QueueLoad(tokens: 300, sequences: 3), 0, 0, 3),
            (QueueLoad(sequences: 4), 0, 0, 10), (QueueLoad(sequences: 4), 4, 0, 50),
            (QueueLoad(sequences: 4), 2, 1, 50),
            (QueueLoad(tokens: 9000, sequences: 4), 4, 0, 90),
        ] as [(QueueLoad, Int, Int, Int)])
    func `a wait is the longer of computing prompts and freeing places`(
        load: QueueLoad, running: Int, waiting: Int, seconds: Int
    ) {
        var statistics = SchedulerStatistics()
        statistics.running = running
        statistics.waiting = waiting
        #expect(statistics.wait(behind: load, places: 4) == .zero)
        statistics.prefillRate = 100
        statistics.finishRate = 0.1
        #expect(statistics.wait(behind: load, places: 4) == .seconds(seconds))
    }
}
