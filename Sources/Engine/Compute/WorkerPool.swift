import CIntrinsics
import Checkpoints
import Foundation
import Synchronization

/// A pool of threads that run one parallel region at a time, together with the calling thread.
///
/// The caller is worker 0, and `threads: n` adds n - 1 threads. After a region, threads spin briefly, because the next region
/// usually follows within microseconds, and then sleep. The work of a region is divided into one run per thread. A thread works on
/// its own run and then takes from the runs of others, first on its NUMA node, so a slow thread does less. The result must not
/// depend on which thread computes it.
package final class WorkerPool: Sendable, ParallelExecutor {
    /// The number of threads that run chunks, including the caller. It is less than requested if the system refuses to create a
    /// thread.
    package let threads: Int

    /// The number of runs that a region is divided into: one per requested thread.
    let runs: Int

    /// The NUMA nodes of the threads.
    package let nodes: NodePlan
    /// The CPU that each thread is pinned to, or empty if threads are not pinned.
    let cpus: [Int]

    private let state: State
    /// A lock that lets several callers share a pool, one region at a time.
    private let region = Mutex<Void>(())

    /// - Parameters:
    ///   - threads: The number of threads, at least 1.
    ///   - cpus: The CPU that each thread is pinned to, including the caller. If empty, threads are not pinned.
    ///   - nodes: The nodes of the threads, or `nil` if all are on one node.
    ///   - spinning: How long an idle thread spins before it sleeps.
    package convenience init(
        threads: Int, cpus: [Int] = [], nodes: NodePlan? = nil, spinning: Duration = .microseconds(300)
    ) {
        self.init(threads: threads, cpus: cpus, nodes: nodes, spinning: spinning, start: SystemThread.start)
    }

    /// - Parameter start: A function that starts a thread with a name and a stack size. Tests replace it.
    init(
        threads: Int, cpus: [Int] = [], nodes: NodePlan? = nil, spinning: Duration,
        start: (String, Int, @escaping @Sendable () -> Void) throws(SystemThread.Failure) -> Void
    ) {
        precondition(threads >= 1, "the caller is a worker")
        precondition(cpus.isEmpty || cpus.count >= threads, "each thread has a CPU")
        runs = threads
        self.cpus = cpus
        let nodes = nodes ?? NodePlan(threads: threads)
        precondition(nodes.threads == threads, "each thread is on a node")
        self.nodes = nodes
        state = State(nodes: nodes, spinning: spinning)
        var started = 1
        for index in 1..<threads {
            let cpu = cpus.isEmpty ? nil : Int32(cpus[index])
            state.exited.enter()
            do throws(SystemThread.Failure) {
                try start("worker \(index)", 8 << 20) { [state] in
                    if let cpu { trinity_pin_current_thread(cpu) }
                    state.work(as: index)
                    state.exited.leave()
                }
            } catch {
                // Other threads do the work of a thread that did not start. The end of the pool must not wait for it.
                state.exited.leave()
                break
            }
            started += 1
        }
        // The caller is pinned after the others have started. A new thread inherits the CPUs of its creator, and would have to wait
        // on that CPU until it is moved.
        if let cpu = cpus.first { trinity_pin_current_thread(Int32(cpu)) }
        self.threads = started
    }

    deinit {
        state.stop()
    }

    /// Calls `body` once for each chunk in 0 ..< chunks, on any thread and in any order, and returns when all are done. The chunks
    /// with the lowest numbers begin first.
    ///
    /// Regions cannot be nested: `body` must not call this function.
    package func parallelFor(chunks: Int, _ body: (Int) -> Void) {
        guard threads > 1, chunks > 1 else {
            for chunk in 0..<chunks { body(chunk) }
            return
        }
        let runs = runs
        let most = (WorkRun.limit - 1) * runs
        for start in stride(from: 0, to: chunks, by: most) {
            // Chunks are assigned in turn: the first position of each run, then the second, and so on.
            run(positions: min(most, chunks - start), takesHalves: false) { run, positions in
                for position in positions { body(start + position * runs + run) }
            }
        }
    }

    /// Calls `body` with ranges that cover 0 ..< runs * parts, and returns when all are done. Each thread begins with `parts`
    /// adjacent numbers in ascending order, and repeatedly takes half of the remainder.
    func forEachRun(of parts: Int, _ body: (Range<Int>) -> Void) {
        guard threads > 1 else { return body(0..<runs * parts) }
        run(positions: runs * parts, takesHalves: true) { run, positions in
            body(run * parts + positions.lowerBound..<run * parts + positions.upperBound)
        }
    }

    private func run(positions: Int, takesHalves: Bool, _ body: (Int, Range<Int>) -> Void) {
        precondition(positions / runs < WorkRun.limit, "the positions of a run are numbers of 20 bits")
        region.withLock { _ in
            withoutActuallyEscaping(body) { body in
                ParallelJob(body: body).withAddress {
                    state.run(positions: positions, takesHalves: takesHalves, address: $0)
                }
            }
        }
    }
}

/// The shared state of a pool's threads. They reference the state and not the pool, so that the pool can be deallocated while they
/// sleep.
private final class State: Sendable {
    private let runs: SharedArray<WorkRun>
    private let groups: SharedArray<WorkerGroup>
    private let nodes: NodePlan
    private let neighboursOfCaller: Range<Int>
    private let address = Atomic<UInt>(0)
    private let sleepers = Atomic<Int>(0)
    private let stopping = Atomic<Bool>(false)
    private let wake = NSCondition()
    private let spinning: Duration
    let exited = DispatchGroup()

    init(nodes: NodePlan, spinning: Duration) {
        let count = nodes.threads
        self.nodes = nodes
        neighboursOfCaller = nodes.neighbours(of: 0)
        runs = SharedArray(count: count) { WorkRun() }
        groups = SharedArray(count: (count + WorkerGroup.size - 1) / WorkerGroup.size) { WorkerGroup() }
        self.spinning = spinning
    }

    /// Begins a region, works on it, and waits for the other workers. Worker 0 calls this.
    func run(positions: Int, takesHalves: Bool, address: UInt) {
        self.address.store(address, ordering: .relaxed)
        let end = finished + positions
        let last = RegionSignal(rawValue: groups[0].signal.load(ordering: .relaxed))
        if last.number.isMultiple(of: WorkRun.regionsBetweenEnds) {
            for run in 0..<runs.count { runs[run].end(region: last.number) }
        }
        let signal = RegionSignal(number: last.number + 1, positions: positions, takesHalves: takesHalves)
        // Sequentially consistent with `wait`: either the sleeper sees this region, or this thread sees the sleeper.
        for group in 0..<groups.count {
            groups[group].signal.store(signal.rawValue, ordering: .sequentiallyConsistent)
        }
        if sleepers.load(ordering: .sequentiallyConsistent) > 0 { wakeAll() }
        work(on: signal, as: 0, neighbours: neighboursOfCaller)
        var spins = 0
        while finished != end {
            spins += 1
            if spins % 256 == 0 { sched_yield() } else { trinity_pause() }
        }
    }

    /// The number of finished positions in all regions so far.
    private var finished: Int {
        (0..<groups.count).reduce(0) { $0 &+ groups[$1].finished.load(ordering: .acquiring) }
    }

    /// Works on regions until the pool ends. All workers except worker 0 call this.
    func work(as worker: Int) {
        var last = RegionSignal(rawValue: 0)
        let neighbours = nodes.neighbours(of: worker)
        while !stopping.load(ordering: .acquiring) {
            let signal = signal(of: worker)
            if signal == last {
                wait(for: worker, after: last)
            } else {
                work(on: signal, as: worker, neighbours: neighbours)
                last = signal
            }
        }
    }

    func stop() {
        stopping.store(true, ordering: .sequentiallyConsistent)
        wakeAll()
        exited.wait()
    }

    /// Works on the thread's own run and then on the runs of others, until nothing is left or the next region has begun.
    private func work(on signal: RegionSignal, as worker: Int, neighbours: Range<Int>) {
        let threads = runs.count
        func work(onRun run: Int, from side: WorkRun.Side) -> Int {
            let count = (signal.positions - run + threads - 1) / threads
            var done = 0
            while count > 0,
                let positions = runs[run].take(side, atMost: signal.most, region: signal.number, count: count)
            {
                // The region cannot end before these positions are reported, so its job still exists.
                ParallelJob.run(at: address.load(ordering: .relaxed), run, positions)
                done += positions.count
            }
            return done
        }
        func report(_ done: Int) {
            if done > 0 { groups[worker / WorkerGroup.size].finished.add(done, ordering: .acquiringAndReleasing) }
        }
        report(work(onRun: worker, from: .front))
        for attempt in 1..<threads {
            let victim = NodePlan.victim(of: worker, attempt: attempt, neighbours: neighbours, threads: threads)
            report(work(onRun: victim, from: .back))
            if self.signal(of: worker) != signal { break }
        }
    }

    private func wait(for worker: Int, after last: RegionSignal) {
        func hasWork() -> Bool {
            signal(of: worker) != last
                || stopping.load(ordering: .sequentiallyConsistent)
        }
        let end = ContinuousClock.now + spinning
        while ContinuousClock.now < end {
            for _ in 0..<64 {
                if hasWork() { return }
                trinity_pause()
            }
        }
        wake.lock()
        sleepers.add(1, ordering: .sequentiallyConsistent)
        while !hasWork() { wake.wait() }
        sleepers.subtract(1, ordering: .sequentiallyConsistent)
        wake.unlock()
    }

    private func signal(of worker: Int) -> RegionSignal {
        RegionSignal(rawValue: groups[worker / WorkerGroup.size].signal.load(ordering: .sequentiallyConsistent))
    }

    private func wakeAll() {
        wake.lock()
        wake.broadcast()
        wake.unlock()
    }
}
