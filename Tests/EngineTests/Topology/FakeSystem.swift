import Foundation
import Testing

@testable import Engine

/// A folder like `/sys` that describes a machine.
struct FakeSystem: ~Copyable {
    struct CPU {
        var package = 0
        var node = 0
        /// The CPUs of the same core.
        var siblings: String?
        /// The CPUs that share the level 3 cache.
        var cache: String?
        var files: [String: String] = [:]
    }

    let root = FileManager.default.temporaryDirectory.appending(path: "sys-\(UUID().uuidString)")

    init(_ cpus: [Int: CPU]) throws {
        for (number, cpu) in cpus {
            var files = cpu.files
            files["topology/physical_package_id"] = "\(cpu.package)"
            files["topology/thread_siblings_list"] = cpu.siblings
            files["cache/index0/level"] = "1"
            files["cache/index0/shared_cpu_list"] = cpu.siblings
            files["cache/index1/level"] = cpu.cache == nil ? nil : "3"
            files["cache/index1/shared_cpu_list"] = cpu.cache
            for (path, text) in files { try write(text, "cpu/cpu\(number)/\(path)") }
        }
        let nodes = Dictionary(grouping: cpus, by: \.value.node)
        try write("\(CPUList(nodes.keys))", "node/online")
        for (node, members) in nodes { try write("\(CPUList(members.map(\.key)))", "node/node\(node)/cpulist") }
    }

    /// Without any description.
    init() {}

    deinit { try? FileManager.default.removeItem(at: root) }

    private func write(_ text: String, _ path: String) throws {
        let file = root.appending(path: "devices/system/\(path)")
        try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data("\(text)\n".utf8).write(to: file)
    }

    func topology(_ allowed: String) throws -> CPUTopology {
        let allowed = try #require(CPUList(allowed))
        return CPUTopology(allowed: allowed, system: root.path)
    }
}
