import CIntrinsics
import Foundation

extension WorkerPool {
    /// The number of CPUs in the affinity mask, limited by the control group's quota; at least 1.
    package static func defaultThreadCount() -> Int {
        threadCount(cpus: affinity().count, quota: ControlGroup().cpuQuota)
    }

    /// `cpus`, limited by the quota; at least 1.
    static func threadCount(cpus: Int, quota: Double?) -> Int {
        max(min(cpus, quota.map { Int($0) } ?? cpus), 1)
    }

    /// Whether `threads` threads may be pinned: with a quota, or with fewer CPUs than threads, the kernel must be able to move
    /// them.
    static func canPin(
        threads: Int, cpus: Int = affinity().count, quota: Double? = ControlGroup().cpuQuota
    ) -> Bool {
        threads <= cpus && quota == nil
    }

    /// The numbers of the CPUs that the process may run on.
    static func affinity() -> [Int32] {
        let capacity = 1024
        return [Int32](unsafeUninitializedCapacity: capacity) { buffer, count in
            count = Int(trinity_affinity_cpus(buffer.baseAddress, Int32(capacity)))
        }
    }
}
