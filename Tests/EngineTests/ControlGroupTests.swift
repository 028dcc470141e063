import Foundation
import TestSupport
import Testing

@testable import Engine

@Suite struct ControlGroupTests {
    /// A hierarchy of groups in a temporary folder, written by path.
    private func hierarchy(_ files: [String: String]) throws -> TemporaryModel {
        let folder = try TemporaryModel()
        for (path, text) in files {
            let url = folder.directory.appending(path: path)
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: url)
        }
        return folder
    }

    private func group(_ folder: TemporaryModel, _ membership: String?) -> ControlGroup {
        ControlGroup(membership: membership, root: folder.directory.path)
    }

    @Test func `a quota is read in CPUs`() {
        #expect(ControlGroup.quota("150000 100000\n") == 1.5)
        #expect(ControlGroup.quota("max 100000\n") == nil)
        #expect(ControlGroup.quota("0 100000\n") == nil)
        #expect(ControlGroup.quota("") == nil)
    }

    @Test func `the tightest limit applies, of the process's group or an enclosing one`() throws {
        let folder = try hierarchy([
            "system.slice/cpu.max": "200000 100000\n",
            "system.slice/trinity.service/cpu.max": "max 100000\n",
            "system.slice/memory.max": "1000\n", "system.slice/memory.current": "300\n",
            "system.slice/trinity.service/memory.max": "900\n",
            "system.slice/trinity.service/memory.current": "250\n",
            "other/memory.max": "1\n", "other/memory.current": "1\n", "other/cpu.max": "1 100000",
        ])
        let inner = group(folder, "1:name=systemd:/x\n0::/system.slice/trinity.service\n")
        #expect(inner.cpuQuota == 2)
        #expect(inner.freeMemory == 650)
        #expect(group(folder, "0::/system.slice\n").freeMemory == 700)
    }

    @Test func `inside a container the group is the root`() throws {
        let folder = try hierarchy(["cpu.max": "50000 100000\n", "memory.max": "4096\n", "memory.current": "96\n"])
        #expect(group(folder, "0::/\n").cpuQuota == 0.5)
        #expect(group(folder, "0::/\n").freeMemory == 4000)
    }

    @Test func `the page cache counts as free, memory of processes does not`() throws {
        let folder = try hierarchy([
            "memory.max": "1000\n", "memory.current": "900\n",
            "memory.stat": "anon 200\nfile 700\nactive_file 400\ninactive_file 300\nfile_mapped 5\n",
        ])
        #expect(group(folder, "0::/\n").freeMemory == 800)
    }

    @Test(arguments: ["0::/\n", "4:memory:/a\n", "", nil] as [String?])
    func `without limits there are no bounds`(membership: String?) throws {
        let folder = try hierarchy(["memory.max": "max\n", "memory.current": "5\n"])
        #expect(group(folder, membership).cpuQuota == nil)
        #expect(group(folder, membership).freeMemory == nil)
    }

    @Test func `a group over its limit has no free memory`() throws {
        let folder = try hierarchy(["memory.max": "10\n", "memory.current": "50\n"])
        #expect(group(folder, "0::/\n").freeMemory == 0)
    }
}
