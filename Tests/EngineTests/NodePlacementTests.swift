import Foundation
import Logging
import Synchronization
import TestSupport
import Testing

@testable import Engine

/// Weights in the memory of several nodes: the results are the same, and the system's own table shows where the pages are.
struct NodePlacementTests {
    /// The node of the first CPU.
    private static let node = CPUTopology(allowed: .ofProcess()).cpus[0].node

    private static let canPlace: Bool = {
        guard FileManager.default.fileExists(atPath: "/proc/self/numa_maps") else { return false }
        return WeightMemory(nodes: NodePlan([.init(node, threads: 0..<1)])).touch() == 0
    }()

    private static func policy(of address: UnsafeRawPointer) throws -> Substring {
        let file = try #require(FileHandle(forReadingAtPath: "/proc/self/numa_maps"))
        let lines = String(decoding: try file.readToEnd() ?? Data(), as: UTF8.self).split(separator: "\n")
        // Each line begins with the first address of a mapping and its policy.
        let mappings = lines.map { $0.split(separator: " ", maxSplits: 2) }
        let mapping = try #require(mappings.last { UInt($0[0], radix: 16) ?? .max <= UInt(bitPattern: address) })
        return mapping[1]
    }

    @Test(.enabled(if: canPlace, "the system has no NUMA nodes, or refuses mbind"))
    func `pages of weights are of the node of their threads, and of any node without a plan`() throws {
        let memory = WeightMemory(nodes: NodePlan([.init(Self.node, threads: 0..<1), .init(nil, threads: 1..<2)]))
        let pieces = [memory.allocate(3 << 20, node: 0), memory.allocate(3 << 20, node: 1)]
        for piece in pieces { piece.base.storeBytes(of: 1, as: UInt8.self) }
        #expect(try Self.policy(of: pieces[0].base) == "prefer:\(Self.node)")
        #expect(try Self.policy(of: pieces[1].base) == "default")
        #expect(memory.placementError == 0)
        #expect(memory.ranges.map { $0.map(\.count) } == [[3 << 20], [3 << 20]])

        let page = try #require(HugePageMapping(bytes: 1 << 20))
        #expect(MemoryPolicy.interleaved([Self.node]).set(page.base, bytes: page.bytes) == 0)
        page.base.storeBytes(of: 1, as: UInt8.self)
        #expect(try Self.policy(of: page.base) == "interleave:\(Self.node)")
    }

    @Test(.enabled(if: canPlace, "the system has no NUMA nodes, or refuses mbind"))
    func `the matrices of a model are where their nodes are`() throws {
        let plan = NodePlan([.init(Self.node, threads: 0..<1), .init(nil, threads: 1..<2)])
        let pool = WorkerPool(threads: 2, nodes: plan, spinning: .zero)
        let weights = try ModelCase("a_base").weights(pool: pool, kernels: .best(.exact))
        let first = try #require(weights.ranges[0].first?.baseAddress)
        let second = try #require(weights.ranges[1].first?.baseAddress)
        #expect(try Self.policy(of: first) == "prefer:\(Self.node)")
        #expect(try Self.policy(of: second) == "default")
        let bytes = weights.ranges.map { $0.reduce(0) { $0 + $1.count } }
        #expect(abs(bytes[0] - bytes[1]) < (bytes[0] + bytes[1]) / 10, "\(bytes)")
    }

    @Test(
        arguments: [
            "a_base", "b1_nomup_tied_shared2", "c_odd_sharded", "f1_fp8_ct_channel", "f4_fp8_ds_block_ragged",
            "gguf_q4_k_m", "gguf_f16_tied", "ct_w4a16_g32", "ct_nvfp4",
        ], KernelTable.chosen)
    func `the results are those of one node, bit for bit`(name: String, kernels: KernelTable) throws {
        let model = try ModelCase(name)
        func outputs(_ pool: WorkerPool) throws -> [SequenceDriver.Output] {
            let weights = try model.weights(pool: pool, kernels: kernels)
            #expect(weights.ranges.count == pool.nodes.nodes.count && weights.ranges.allSatisfy { !$0.isEmpty })
            let driver = try SequenceDriver(
                config: model.config, weights: weights, pool: pool, kernels: kernels,
                maxTokens: model.prompts.reduce(0) { $0 + $1.promptIDs.count })
            return driver.run(model.prompts.map(\.promptIDs), chunk: 7, count: 12)
        }
        let expected = try outputs(.single)
        for threads in [[0, 1], [0, 1, 1, 2]] {
            let nodes = NodePlan(ofThreads: threads).nodes.map { NodePlan.Node(nil, threads: $0.threads) }
            let pool = WorkerPool(threads: threads.count, nodes: NodePlan(nodes), spinning: .zero)
            #expect(try outputs(pool) == expected, "\(threads)")
        }
    }

    @Test func `a system that refuses is warned of once, and the engine starts`() throws {
        let log = RecordingLog()
        var options = EngineOptions(modelDirectory: Fixtures.chatModel)
        options.threads = 2
        options.pinsThreads = false
        // No kernel has so many nodes.
        options.nodes = NodePlan(ofThreads: [8000, 8001])
        let logger = Logger(label: "test") { _ in log }
        let loaded = try EngineLoader(options: options, logger: logger, progress: { _ in }).load()
        #expect(loaded.pool.nodes.nodes.count == 2)
        let lines = log.lines
        #expect(lines.filter { $0.hasPrefix("warning the system refuses to place memory on NUMA nodes") }.count == 1)
        #expect(lines.contains { $0.hasPrefix("info weights: ") && $0.hasSuffix(" on node 8001") })
    }
}

extension WeightMemory {
    /// Allocates and returns the error of the placement.
    fileprivate func touch() -> Int32 {
        _ = allocate(1)
        return placementError
    }
}

/// Keeps lines as "level message".
private struct RecordingLog: LogHandler {
    private final class Lines: Sendable {
        let all = Mutex<[String]>([])
    }

    private let recorded = Lines()
    var lines: [String] { recorded.all.withLock { $0 } }
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        recorded.all.withLock { $0.append("\(event.level) \(event.message)") }
    }
}
