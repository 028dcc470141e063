import Foundation

/// The limits of the control groups (cgroup v2) of this process: those of its own group and of all enclosing groups.
struct ControlGroup {
    /// The folders of the groups, the innermost first.
    private let directories: [String]

    /// - Parameters:
    ///   - membership: The text of `/proc/self/cgroup`, or `nil` if the process is in no group.
    ///   - root: The path where the hierarchy is mounted.
    init(
        membership: String? = try? String(contentsOfFile: "/proc/self/cgroup", encoding: .utf8),
        root: String = "/sys/fs/cgroup"
    ) {
        let line = membership?.split(separator: "\n").first { $0.hasPrefix("0::") }
        var path = line?.dropFirst(3).split(separator: "/") ?? []
        var directories = line == nil ? [] : [root]
        while !path.isEmpty {
            directories.insert(([root] + path.map(String.init)).joined(separator: "/"), at: directories.count - 1)
            path.removeLast()
        }
        self.directories = directories
    }

    /// A string that is the same for all processes of a group and differs between the groups of a machine. This also holds for
    /// containers, each of which may see its own group as "/".
    static var identity: String {
        let namespace = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/ns/cgroup")
        let membership = try? String(contentsOfFile: "/proc/self/cgroup", encoding: .utf8)
        return "\(namespace ?? "") \(membership ?? "")"
    }

    /// The CPU quota in CPUs, which is the smallest quota of all groups, or `nil` if there is none.
    var cpuQuota: Double? {
        directories.compactMap { Self.read("cpu.max", in: $0).flatMap(Self.quota) }.min()
    }

    /// The number of bytes that can still be allocated before a limit is reached, or `nil` if there is no limit.
    var freeMemory: Int? {
        directories.compactMap { directory in
            guard let limit = Self.read("memory.max", in: directory).flatMap(Self.bytes),
                let used = Self.read("memory.current", in: directory).flatMap(Self.bytes)
            else { return nil }
            // The page cache counts as used, although the kernel evicts it when memory is needed. After a model has been read, it
            // is as large as the model.
            let cached = Self.cachedBytes(Self.read("memory.stat", in: directory) ?? "")
            return max(limit - max(used - cached, 0), 0)
        }.min()
    }

    /// Parses `cpu.max`: `"150000 100000"` is 1.5, and `"max 100000"` is no quota.
    static func quota(_ text: String) -> Double? {
        let fields = text.split(whereSeparator: \.isWhitespace)
        guard fields.count == 2, let quota = Double(fields[0]), let period = Double(fields[1]), quota > 0, period > 0
        else { return nil }
        return quota / period
    }

    private static func bytes(_ text: String) -> Int? {
        Int(text.trimmingCharacters(in: .whitespacesAndNewlines))
    }

    private static func cachedBytes(_ statistics: String) -> Int {
        statistics.split(separator: "\n").reduce(0) { sum, line in
            let fields = line.split(separator: " ")
            guard fields.count == 2, ["active_file", "inactive_file"].contains(fields[0]), let bytes = Int(fields[1])
            else { return sum }
            return sum + bytes
        }
    }

    private static func read(_ name: String, in directory: String) -> String? {
        try? String(contentsOfFile: "\(directory)/\(name)", encoding: .utf8)
    }
}
