import CIntrinsics
import Foundation

extension WorkerPool {
    /// The CPUs of the affinity mask, but no more than the control group's quota pays for; at least 1.
    static func defaultThreadCount() -> Int {
        let cpus = max(affinity().count, 1)
        guard let quota = CPUQuota.current() else { return cpus }
        return min(cpus, max(Int(quota), 1))
    }

    /// Whether threads may be pinned: under a quota the kernel has to be free to move them.
    static func canPin() -> Bool {
        CPUQuota.current() == nil
    }

    /// The numbers of the CPUs that the process may run on.
    static func affinity() -> [Int32] {
        let capacity = 1024
        return [Int32](unsafeUninitializedCapacity: capacity) { buffer, count in
            count = Int(trinity_affinity_cpus(buffer.baseAddress, Int32(capacity)))
        }
    }
}

/// The CPU time that a control group (cgroup v2, `cpu.max`) grants, in CPUs.
enum CPUQuota {
    /// The smallest quota among the process's group and the groups around it; `nil` without any.
    static func current() -> Double? {
        guard let groups = try? String(contentsOfFile: "/proc/self/cgroup", encoding: .utf8),
            let line = groups.split(separator: "\n").first(where: { $0.hasPrefix("0::") })
        else { return nil }
        var path = line.dropFirst(3).split(separator: "/")
        var smallest: Double?
        while true {
            let file = "/sys/fs/cgroup/" + (path + ["cpu.max"]).joined(separator: "/")
            if let text = try? String(contentsOfFile: file, encoding: .utf8), let quota = parse(text) {
                smallest = min(smallest ?? quota, quota)
            }
            guard path.popLast() != nil else { return smallest }
        }
    }

    /// `"150000 100000"` is 1.5, `"max 100000"` is no quota.
    static func parse(_ text: String) -> Double? {
        let fields = text.split(whereSeparator: \.isWhitespace)
        guard fields.count == 2, let quota = Double(fields[0]), let period = Double(fields[1]), quota > 0, period > 0
        else { return nil }
        return quota / period
    }
}
