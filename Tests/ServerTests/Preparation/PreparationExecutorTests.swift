import Basics
import Dispatch
import Synchronization
import Testing

@testable import Server

/// Work off the loop: its order, and how it is stopped.
@Suite struct PreparationExecutorTests {
    /// Keeps a CPU busy.
    private static func spin(microseconds: Int) {
        let end = ContinuousClock.now + .microseconds(microseconds)
        while ContinuousClock.now < end {}
    }

    /// Works until it is stopped.
    private static func spinForEver() -> Int {
        while !Cancellation.isRequested { spin(microseconds: 100) }
        return 0
    }

    private func wait(until condition: () -> Bool) async {
        while !condition() { try? await Task.sleep(for: .milliseconds(2)) }
    }

    /// Runs a job and waits for its result.
    private func run(
        _ executor: PreparationExecutor, tenant: String = "", _ work: @escaping @Sendable () -> Int
    ) async -> Int? {
        await withCheckedContinuation { continuation in
            _ = executor.submit(tenant: tenant, deadline: .now + .seconds(60)) { _ in
                work()
            } completion: {
                continuation.resume(returning: $0)
            }
        }
    }

    @Test func `a small job does not wait for the end of large ones`() async {
        let executor = PreparationExecutor(concurrency: 1)
        let large = (0..<8).map { _ in
            executor.submit(tenant: "", deadline: .now + .seconds(60)) { _ in
                Self.spinForEver()
            } completion: { _ in
            }
        }
        // They have all had turns.
        try? await Task.sleep(for: .milliseconds(50))
        let start = ContinuousClock.now
        #expect(await run(executor) { 7 } == 7)
        // In addition to endless work; the bound allows for other load on the machine.
        #expect(ContinuousClock.now - start < .seconds(20))
        for job in large { job.cancel() }
        await wait { executor.jobs == 0 }
    }

    @Test func `a job that is cancelled stops, and one that waits never starts`() async {
        let executor = PreparationExecutor(concurrency: 1)
        let started = DispatchSemaphore(value: 0)
        let results = Mutex<[Int?]>([])
        let first = executor.submit(tenant: "", deadline: .now + .seconds(60)) { _ in
            started.signal()
            while !Cancellation.isRequested {}
            return 1
        } completion: { result in
            results.withLock { $0.append(result) }
        }
        await Task.detached { started.wait() }.value
        // Another tenant's job would come first at once; this one has to wait for a checkpoint.
        let second = executor.submit(tenant: "", deadline: .now - .seconds(1)) { _ in
            Issue.record("it is late before it starts")
            return 2
        } completion: { result in
            results.withLock { $0.append(result) }
        }
        second.cancel()
        first.cancel()
        await wait { executor.jobs == 0 }
        #expect(results.withLock { $0 } == [nil, nil])
    }

    @Test func `a job stops at its deadline`() async {
        let executor = PreparationExecutor(concurrency: 1)
        let isEnded = Mutex(false)
        let job = executor.submit(tenant: "", deadline: .now + .milliseconds(20)) { _ in
            Self.spinForEver()
        } completion: { result in
            #expect(result == nil)
            isEnded.withLock { $0 = true }
        }
        await wait { isEnded.withLock { $0 } }
        #expect(job.isLate)
    }

    @Test func `tenants share the time, whatever their number of jobs`() async {
        let executor = PreparationExecutor(concurrency: 1)
        let annsSpins = Atomic(0)
        let crowd = (0..<10).map { _ in
            executor.submit(tenant: "ann", deadline: .now + .seconds(600)) { _ in
                while !Cancellation.isRequested {
                    Self.spin(microseconds: 100)
                    annsSpins.add(1, ordering: .relaxed)
                }
                return 0
            } completion: { _ in
            }
        }
        let before = annsSpins.load(ordering: .relaxed)
        let during = await run(executor, tenant: "bob") {
            for _ in 0..<2000 where !Cancellation.isRequested { Self.spin(microseconds: 100) }
            return annsSpins.load(ordering: .relaxed)
        }
        // Half of the time is bob's: as one of eleven jobs he would see 20,000 spins of the others.
        #expect((500..<6000).contains((during ?? 0) - before), "\(during ?? 0) - \(before)")
        for job in crowd { job.cancel() }
        await wait { executor.jobs == 0 }
    }

    @Test func `many short jobs each end once`() async {
        let executor = PreparationExecutor(concurrency: 2)
        let sum = await withTaskGroup(of: Int?.self) { group in
            for index in 0..<500 {
                group.addTask { await run(executor, tenant: "\(index % 3)") { index } }
            }
            return await group.reduce(0) { $0 + ($1 ?? 0) }
        }
        #expect(sum == 499 * 250)
        await wait { executor.jobs == 0 }
    }
}
