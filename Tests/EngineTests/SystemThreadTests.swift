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
}
