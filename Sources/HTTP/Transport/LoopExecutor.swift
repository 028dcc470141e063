import Dispatch

/// Runs an actor's jobs on a serial queue, so that the queue's dispatch sources can enter the actor without a thread switch.
final class LoopExecutor: SerialExecutor {
    let queue: DispatchQueue

    init(label: String) {
        queue = DispatchQueue(label: label)
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }

    /// Called by `assumeIsolated` in a dispatch source.
    func checkIsolated() {
        dispatchPrecondition(condition: .onQueue(queue))
    }
}
