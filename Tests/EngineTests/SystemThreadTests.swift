import Foundation
import Synchronization
import Testing

@testable import Engine

@Suite struct SystemThreadTests {
    private static func niceValue(of thread: id_t) -> Int32 {
        getpriority(__priority_which_t(PRIO_PROCESS.rawValue), thread)
    }

    @Test
    func `a thread of lower priority stays below a process that was started with nice`() throws {
        // As with `nice`: the main thread, whose id is that of the process. A nice value can be raised without privileges.
        let base = min(Self.niceValue(of: id_t(getpid())) + 2, 19)
        setpriority(__priority_which_t(PRIO_PROCESS.rawValue), id_t(getpid()), base)
        let values = Mutex<[Int32]>([])
        let done = DispatchSemaphore(value: 0)
        try SystemThread.start("nice", stackBytes: 1 << 20) {
            // The second call, like that of a thread that such a thread starts, changes nothing.
            for _ in 0..<2 {
                SystemThread.lowerPriority(by: 3)
                values.withLock { $0.append(Self.niceValue(of: 0)) }
            }
            done.signal()
        }
        done.wait()
        #expect(values.withLock { $0 } == [min(base + 3, 19), min(base + 3, 19)])
    }

    @Test
    func `a thread with the shortest time slice starts threads with the default one`() throws {
        let slices = Mutex<[Duration]>([])
        let done = DispatchSemaphore(value: 0)
        let add: @Sendable () -> Void = { slices.withLock { $0.append(SystemThread.timeSlice) } }
        try SystemThread.start("slice", stackBytes: 1 << 20) {
            add()
            SystemThread.shortenTimeSlice()
            add()
            try? SystemThread.start("default", stackBytes: 1 << 20) {
                add()
                done.signal()
            }
        }
        #expect(done.wait(timeout: .now() + 60) == .success)
        let values = slices.withLock { $0 }
        // Before Linux 6.12, threads have no slice of their own.
        guard let standard = values.first, standard > .zero else { return }
        #expect(values == [standard, SystemThread.shortestTimeSlice, standard])
    }
}
