import CIntrinsics
import Foundation

extension WorkerPool {
    /// The CPUs of the affinity mask, but no more than the control group's quota pays for; at least 1.
    package static func defaultThreadCount() -> Int {
        threadCount(cpus: affinity().count, quota: ControlGroup().cpuQuota)
    }

    /// As many as `cpus`, but no more than a quota pays for; at least 1.
    static func threadCount(cpus: Int, quota: Double?) -> Int {
        max(min(cpus, quota.map { Int($0) } ?? cpus), 1)
    }

    /// Whether `threads` threads may be pinned: under a quota, or with fewer CPUs than threads, the kernel has to be free
    /// to move them.
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
