import CIntrinsics
import Checkpoints
import Foundation
import Synchronization

/// Threads that run the chunks of one parallel region at a time, together with the calling thread.
///
/// The caller is worker 0; `threads: n` adds n - 1 threads. After a region they spin briefly, since the next region usually
/// follows within microseconds, and then sleep. Chunks are claimed one by one, so a slow thread takes fewer. The result of a
/// chunk must not depend on the thread that runs it.
package final class WorkerPool: Sendable, ParallelExecutor {
    /// The number of threads that run chunks, including the caller: less than requested if the system refuses to create one.
    package let threads: Int

    private let state: State
    /// Lets several callers share a pool, one region at a time.
    private let region = Mutex<Void>(())

    /// - Parameters:
    ///   - threads: at least 1
    ///   - cpus: the CPU that each thread stays on, the caller too; empty: the system moves them
    ///   - spinning: how long an idle thread stays awake
    package init(threads: Int, cpus: [Int] = [], spinning: Duration = .microseconds(300)) {
        precondition(threads >= 1, "the caller is a worker")
        precondition(cpus.isEmpty || cpus.count >= threads, "each thread has a CPU")
        state = State(spinning: spinning)
        var started = 1
        for index in 1..<threads {
            let cpu = cpus.isEmpty ? nil : Int32(cpus[index])
            state.exited.enter()
            do throws(SystemThread.Failure) {
                try SystemThread.start("worker \(index)", stackBytes: 8 << 20) { [state] in
                    if let cpu { trinity_pin_current_thread(cpu) }
                    state.work()
                    state.exited.leave()
                }
            } catch {
                // Chunks are claimed only by running threads. The end of the pool must not wait for a thread that never ran.
                state.exited.leave()
                break
            }
            started += 1
        }
        // After the others have started: a thread inherits the CPUs of its creator, and would wait there to be moved away.
        if let cpu = cpus.first { trinity_pin_current_thread(Int32(cpu)) }
        self.threads = started
    }

    deinit {
        state.stop()
    }

    /// Calls `body` once for each chunk 0 ..< chunks, on any thread and in any order; returns when all are done.
    ///
    /// Regions do not nest: `body` must not call this again.
    package func parallelFor(chunks: Int, _ body: (Int) -> Void) {
        guard threads > 1, chunks > 1 else {
            for chunk in 0..<chunks { body(chunk) }
            return
        }
        region.withLock { _ in
            withoutActuallyEscaping(body) { body in
                ParallelJob(chunks: chunks, body: body).withAddress { state.run(chunks: chunks, address: $0) }
            }
        }
    }
}

/// The shared state of a pool's threads. They reference the state and not the pool, so that the pool can be deallocated while
/// they sleep.
private final class State: Sendable {
    /// High half: the region's number. Low half: its unclaimed chunks. Both are in one word, so that a claim can neither affect
    /// a later region nor pass the end.
    private let word = Atomic<UInt64>(0)
    private let address = Atomic<UInt>(0)
    private let unfinished = Atomic<Int>(0)
    private let sleepers = Atomic<Int>(0)
    private let stopping = Atomic<Bool>(false)
    private let wake = NSCondition()
    private let spinning: Duration
    let exited = DispatchGroup()

    init(spinning: Duration) {
        self.spinning = spinning
    }

    /// Worker 0: opens a region, works on it, and waits for the others.
    func run(chunks: Int, address: UInt) {
        self.address.store(address, ordering: .relaxed)
        unfinished.store(chunks, ordering: .relaxed)
        let number = word.load(ordering: .relaxed) >> 32 &+ 1
        // Sequentially consistent with `sleep`: either the sleeper sees this region, or we see the sleeper.
        word.store(number << 32 | UInt64(chunks), ordering: .sequentiallyConsistent)
        if sleepers.load(ordering: .sequentiallyConsistent) > 0 { wakeAll() }
        claimChunks()
        var spins = 0
        while unfinished.load(ordering: .acquiring) > 0 {
            spins += 1
            if spins % 256 == 0 { sched_yield() } else { trinity_pause() }
        }
    }

    /// Other workers: runs until the pool ends.
    func work() {
        while !stopping.load(ordering: .acquiring) {
            if !claimChunks() { waitForRegion() }
        }
    }

    func stop() {
        stopping.store(true, ordering: .sequentiallyConsistent)
        wakeAll()
        exited.wait()
    }

    @discardableResult
    private func claimChunks() -> Bool {
        var claimed = false
        var current = word.load(ordering: .acquiring)
        while current & 0xffff_ffff > 0 {
            let (exchanged, original) = word.weakCompareExchange(
                expected: current, desired: current - 1, successOrdering: .acquiring, failureOrdering: .acquiring)
            guard exchanged else {
                current = original
                continue
            }
            // The region cannot end before this chunk does, so its job still exists.
            ParallelJob.run(at: address.load(ordering: .relaxed), unclaimed: Int(current & 0xffff_ffff))
            unfinished.subtract(1, ordering: .acquiringAndReleasing)
            claimed = true
            current = word.load(ordering: .acquiring)
        }
        return claimed
    }

    private func waitForRegion() {
        let end = ContinuousClock.now + spinning
        while ContinuousClock.now < end {
            for _ in 0..<64 {
                if hasWork { return }
                trinity_pause()
            }
        }
        wake.lock()
        sleepers.add(1, ordering: .sequentiallyConsistent)
        while !hasWork { wake.wait() }
        sleepers.subtract(1, ordering: .sequentiallyConsistent)
        wake.unlock()
    }

    private var hasWork: Bool {
        word.load(ordering: .sequentiallyConsistent) & 0xffff_ffff > 0
            || stopping.load(ordering: .sequentiallyConsistent)
    }

    private func wakeAll() {
        wake.lock()
        wake.broadcast()
        wake.unlock()
    }
}
