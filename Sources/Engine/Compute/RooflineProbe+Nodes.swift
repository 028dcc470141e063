import Dispatch
import Synchronization

extension RooflineProbe {
    /// The bandwidth of a NUMA node's memory.
    package struct NodeBandwidth: Sendable, Equatable {
        /// Linux's number of the node.
        package let node: Int
        /// The read bandwidth in GB/s.
        package let read: Double

        package init(node: Int, read: Double) {
            self.node = node
            self.read = read
        }
    }

    private final class Rate: Sendable {
        let value = Mutex(0.0)
    }

    /// Measures the bandwidth of each node's memory for the node's own threads, while the threads of other nodes are idle. The
    /// result is empty if the system places the pool's memory.
    ///
    /// - Throws: `SystemThread.Failure` if the system refuses to create a thread.
    package static func readBandwidthByNode(of pool: WorkerPool, isQuick: Bool) throws(SystemThread.Failure)
        -> [NodeBandwidth]
    {
        var bandwidths: [NodeBandwidth] = []
        for node in pool.nodes.nodes {
            guard let number = node.number else { continue }
            let cpus = pool.cpus.isEmpty ? [] : Array(pool.cpus[node.threads])
            let plan = NodePlan([NodePlan.Node(number, threads: 0..<node.threads.count)])
            let (rate, done) = (Rate(), DispatchSemaphore(value: 0))
            // A pool pins the thread that creates it.
            try SystemThread.start("node \(number)", stackBytes: 1 << 20) {
                let pool = WorkerPool(threads: plan.threads, cpus: cpus, nodes: plan)
                let read = RooflineProbe(pool: pool, isQuick: isQuick).readBandwidth()
                rate.value.withLock { $0 = read }
                done.signal()
            }
            done.wait()
            bandwidths.append(NodeBandwidth(node: number, read: rate.value.withLock { $0 }))
        }
        return bandwidths
    }
}
