import Checkpoints
import Scheduling
import TestSupport
import Testing

@testable import Engine

/// The size of the KV pool and the longest sequence, at the limits of the memory.
@Suite struct MemoryPlanTests {
    private let config: ModelConfig
    private let layout: KVCacheLayout

    init() throws {
        config = try ModelConfig(directory: Fixtures.root.appending(path: "model/a_base"))
        layout = KVCacheLayout(config: config, dataType: .f32)
    }

    private func plan(
        freeMemory: Int = 1 << 40, _ change: (inout EngineOptions) -> Void = { _ in }
    ) throws(EngineError) -> MemoryPlan {
        var options = EngineOptions(modelDirectory: Fixtures.root)
        change(&options)
        return try MemoryPlan(
            layout: layout, config: config, options: options, kernels: .best(.exact), threads: 2, weightBytes: 0,
            freeMemory: freeMemory)
    }

    /// The memory of one sequence of `length` tokens, in bytes.
    private func need(_ length: Int) -> Int {
        layout.geometry(totalBlocks: 0).peakBlocks(tokens: length - 1, chunk: 1) * layout.bytesPerBlock
    }

    @Test func `the address space that is not mapped is free`() {
        func free(_ limit: Int, _ statistics: String) -> Int? {
            MemoryPlan.freeAddressSpace(limit: limit, statistics: statistics, pageBytes: 4096)
        }
        #expect(free(10_000_000, "1000 9 8 7 6 5 4\n") == 10_000_000 - 4_096_000)
        #expect(free(4_000_000, "1000 9\n") == 0)
        #expect(free(4_000_000, "") == nil)
    }

    /// The memory of the default step's buffers, in bytes.
    private var activations: Int {
        Transformer.activationBytes(
            config: config, kernels: .best(.exact), maxTokens: 512, maxLogitRows: 64, threads: 2)
            + BatchSampler.bytes(vocabularySize: config.vocabularySize, threads: 2)
    }

    /// Whether a scheduler with the planned pool accepts a sequence of `length` tokens.
    private func admits(_ length: Int, _ plan: MemoryPlan) -> Bool {
        var scheduler = Scheduler(
            limits: SchedulerLimits(maxSequences: 1, maxBatchedTokens: 512, maxQueuedSequences: 1),
            geometry: layout.geometry(totalBlocks: plan.totalBlocks))
        let prompt = Array(repeating: Int32(0), count: length - 1)
        return (try? scheduler.add(SequenceID(1), prompt: prompt, maxTokens: 1)) != nil
    }

    @Test(arguments: [2, 17, 18, 100, 2048])
    func `a requested length fits exactly and not with one byte less`(length: Int) throws {
        let exact = try plan {
            $0.kvCacheMemory = need(length)
            $0.maxModelLength = length
        }
        #expect(exact.cacheBytes == need(length))
        #expect(exact.maxModelLength == length)
        #expect(exact.fullLengthSequences == 1)
        #expect(admits(length, exact))
        let error = try #require(throws: EngineError.self) {
            try plan {
                $0.kvCacheMemory = need(length) - 1
                $0.maxModelLength = length
            }
        }
        guard case .memory(need(length), need(length) - 1, length) = error else {
            Issue.record("\(error)")
            return
        }
    }

    @Test func `memory for any number of blocks gives the longest length that the scheduler accepts`() throws {
        let least = need(2) / layout.bytesPerBlock
        for blocks in 0..<200 {
            let memory = blocks * layout.bytesPerBlock
            guard blocks >= least else {
                #expect(throws: EngineError.self) { try self.plan { $0.kvCacheMemory = memory } }
                continue
            }
            let plan = try self.plan { $0.kvCacheMemory = memory }
            #expect(plan.totalBlocks == blocks)
            #expect(admits(plan.maxModelLength, plan))
            #expect(plan.maxModelLength == config.maxPositions || !admits(plan.maxModelLength + 1, plan))
        }
    }

    @Test func `by default the pool leaves a fifth of the free memory unused`() throws {
        let free = need(2048) * 3
        let plan = try self.plan(freeMemory: free + activations)
        #expect(plan.cacheBytes <= free * 4 / 5 && plan.cacheBytes > free * 4 / 5 - layout.bytesPerBlock)
        #expect(plan.maxModelLength == 2048)
    }

    @Test func `a machine without free memory is refused, one with little serves shorter sequences`() throws {
        #expect(throws: EngineError.self) { try plan(freeMemory: 0) }
        let small = try plan(freeMemory: need(200) * 5 / 4 + activations)
        // 13 logical blocks of computed tokens, and the last one, which is not.
        #expect(small.maxModelLength == 13 * KVCacheLayout.blockSize + 1)
        #expect(throws: EngineError.self) {
            try plan(freeMemory: need(200) + activations) { $0.maxModelLength = 2048 }
        }
    }

    @Test func `with plenty of memory the pool has what the running sequences can use and no more`() throws {
        let plan = try self.plan(freeMemory: 1 << 50) { $0.maxSequences = 3 }
        let peak = layout.geometry(totalBlocks: 0).peakBlocks(tokens: 2047, chunk: 512)
        #expect(plan.totalBlocks == peak * 3)
        #expect(plan.fullLengthSequences >= 3)
    }

    @Test func `a step whose buffers do not fit is refused with the options that shrink it`() throws {
        let error = try #require(throws: EngineError.self) {
            try plan(freeMemory: activations) { $0.maxBatchedTokens = 513 }
        }
        #expect(error.description.contains("--max-num-batched-tokens"))
    }

    @Test(arguments: ["a_base", "c_odd_sharded", "c2_layer_types", "b1_nomup_tied_shared2"], KernelTable.exact)
    func `the planned activations equal the buffers of the model`(name: String, kernels: KernelTable) throws {
        let model = try ModelCase(name)
        let layout = KVCacheLayout(config: model.config, dataType: .f32)
        let transformer = Transformer(
            config: model.config, weights: try model.weights(pool: .single, kernels: kernels),
            storage: try KVStorage(layout: layout, totalBlocks: 1), pool: .single, kernels: kernels, maxTokens: 11,
            maxLogitRows: 3)
        #expect(
            Self.bufferBytes(transformer)
                == Transformer.activationBytes(
                    config: model.config, kernels: kernels, maxTokens: 11, maxLogitRows: 3, threads: 1))
    }

    /// The size of all buffers of `owner`, its own and its context's.
    private static func bufferBytes(_ owner: Any) -> Int {
        Mirror(reflecting: owner).children.reduce(0) { sum, child in
            switch child.value {
            case let buffer as Buffer<Float>: sum + buffer.bytes
            case let buffer as Buffer<Int32>: sum + buffer.bytes
            case let buffer as Buffer<UInt16>: sum + buffer.bytes
            case is ForwardContext, is FeedForwardBuffers, is MatrixRowsBuffer: sum + bufferBytes(child.value)
            default: sum
            }
        }
    }

    @Test func `an allocation beyond the available memory is refused with its size`() throws {
        let plan = try self.plan { $0.kvCacheMemory = .max }
        #expect(plan.totalBlocks == Int(Int32.max))
        let error = try #require(throws: EngineError.self) {
            // Beyond any address space.
            try KVStorage(layout: layout, totalBlocks: 1 << 40)
        }
        #expect(error.description.contains("TiB for the KV cache"))
    }
}
