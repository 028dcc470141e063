import Checkpoints
import Foundation
import Scheduling

/// The memory plan, computed before the KV pool is allocated and logged at start.
public struct MemoryPlan: Sendable {
    public var weightBytes: Int
    /// The size of the activation buffers of the largest step.
    public var activationBytes: Int
    /// The size of the KV pool.
    public var cacheBytes: Int
    public var bytesPerBlock: Int
    public var totalBlocks: Int
    /// The number of bytes that one more token of a sequence takes in the global layers, as long as the sequence lives.
    public var globalBytesPerToken: Int
    /// The number of bytes that one more token takes in the sliding layers, until it leaves the window.
    public var slidingBytesPerToken: Int
    public var maxModelLength: Int
    /// The number of sequences of `maxModelLength` tokens that fit at the same time.
    public var fullLengthSequences: Int

    /// The default share of the memory that remains after weights and activations that the pool may use. The rest is for requests
    /// and other programs.
    private static let share = 0.8

    /// Chooses the size of the pool and the maximum length of a sequence.
    ///
    /// - Parameters:
    ///   - stage: The stage whose activations and layers are planned, or `nil` for the whole model.
    ///   - freeMemory: The number of free bytes after the weights are loaded.
    ///   - blockLimit: The maximum number of blocks, because other ranks may have less memory.
    /// - Throws: `EngineError.memory` if not even one sequence of the requested length (or of one token, if no length is requested)
    ///   fits; `EngineError.activations` if the buffers of the largest step do not fit.
    init(
        layout: KVCacheLayout, config: ModelConfig, options: EngineOptions, kernels: KernelTable, threads: Int,
        weightBytes: Int, stage: Stage? = nil,
        freeMemory: Int = MemoryPlan.freeMemory(), blockLimit: Int = .max
    ) throws(EngineError) {
        let samples = stage?.isFirst ?? true
        let activationBytes =
            Transformer.activationBytes(
                config: config, kernels: kernels, maxTokens: options.maxBatchedTokens,
                maxLogitRows: options.maxLogitRows, threads: threads, stage: stage)
            + (samples ? BatchSampler.bytes(vocabularySize: config.vocabularySize, threads: threads) : 0)
        // The buffers are touched at once, so the system would kill the process if they did not fit. The pages of the pool are
        // touched on use.
        guard activationBytes <= freeMemory else {
            throw .activations(neededBytes: activationBytes, availableBytes: freeMemory)
        }
        // The last token of a sequence is sampled but never computed. Chunks shrink to the free blocks, so the minimum is what a
        // sequence needs if it is computed token by token.
        func peakBlocks(_ length: Int, chunk: Int = 1) -> Int {
            layout.geometry(totalBlocks: 0).peakBlocks(tokens: max(1, length - 1), chunk: chunk)
        }
        let wantedLength = options.maxModelLength ?? config.maxPositions
        let affordableBytes = options.kvCacheMemory ?? Int(Double(freeMemory - activationBytes) * Self.share)
        // Block numbers have 31 bits.
        let affordableBlocks = min(affordableBytes / layout.bytesPerBlock, Int(Int32.max), blockLimit)
        // More blocks than all running sequences can use would never be touched.
        let usefulBlocks = peakBlocks(wantedLength, chunk: options.maxBatchedTokens)
            .multipliedReportingOverflow(by: options.maxSequences)
        let blocks =
            options.kvCacheMemory != nil || usefulBlocks.overflow
            ? affordableBlocks : min(affordableBlocks, usefulBlocks.partialValue)

        var length = wantedLength
        if peakBlocks(length) > blocks {
            // Reduces the length to what fits by bisection, because `peakBlocks` grows with the length.
            var fits = 0
            var tooLong = length
            while tooLong - fits > 1 {
                let middle = (fits + tooLong) / 2
                if peakBlocks(middle) <= blocks { fits = middle } else { tooLong = middle }
            }
            if options.maxModelLength != nil || fits == 0 {
                throw .memory(
                    neededBytes: peakBlocks(options.maxModelLength == nil ? 1 : length) * layout.bytesPerBlock,
                    availableBytes: affordableBytes,
                    modelLength: options.maxModelLength == nil ? 1 : length)
            }
            length = fits
        }

        self.weightBytes = weightBytes
        self.activationBytes = activationBytes
        bytesPerBlock = layout.bytesPerBlock
        totalBlocks = blocks
        cacheBytes = blocks * layout.bytesPerBlock
        globalBytesPerToken = layout.globalBlocksPerLogicalBlock * layout.bytesPerBlock / KVCacheLayout.blockSize
        slidingBytesPerToken = layout.slidingBlocksPerLogicalBlock * layout.bytesPerBlock / KVCacheLayout.blockSize
        maxModelLength = length
        fullLengthSequences = blocks / max(1, peakBlocks(length))
    }

    /// The plan as lines of the log.
    public var lines: [String] {
        [
            "weights \(Self.format(weightBytes)), activations \(Self.format(activationBytes))",
            "KV cache \(Self.format(cacheBytes)) in \(totalBlocks) blocks of \(Self.format(bytesPerBlock))",
            "KV cache bytes per token: \(globalBytesPerToken) global, \(slidingBytesPerToken) sliding (inside the window only)",
            "maximum concurrency at \(maxModelLength) tokens: \(fullLengthSequences)",
        ]
    }

    /// Returns `bytes` with a binary unit, such as "1.5 GiB".
    public static func format(_ bytes: Int) -> String {
        let units = ["B", "KiB", "MiB", "GiB", "TiB"]
        var value = Double(bytes)
        var unit = 0
        while value >= 1024, unit < units.count - 1 {
            value /= 1024
            unit += 1
        }
        return unit == 0 ? "\(bytes) B" : String(format: "%.1f %@", value, units[unit])
    }

    /// Returns the number of bytes that this process can still allocate: the kernel's available memory, within the limits of its
    /// control groups and of its address space.
    ///
    /// - Parameters:
    ///   - ranksOnMachine: The number of ranks that share the machine's memory.
    ///   - ranksInGroup: The number of these ranks in the control group of this process.
    package static func freeMemory(ranksOnMachine: Int = 1, ranksInGroup: Int = 1) -> Int {
        min(
            machineMemory() / ranksOnMachine, (ControlGroup().freeMemory ?? .max) / ranksInGroup,
            freeAddressSpace() ?? .max)
    }

    /// Returns the number of bytes that the process can still map, or `nil` without a limit (RLIMIT_AS).
    static func freeAddressSpace() -> Int? {
        var limits = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limits) == 0, limits.rlim_cur != UInt.max,
            let statistics = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
        else { return nil }
        return freeAddressSpace(
            limit: Int(clamping: limits.rlim_cur), statistics: statistics, pageBytes: sysconf(Int32(_SC_PAGESIZE)))
    }

    /// - Parameter statistics: The text of `/proc/self/statm`, which begins with the number of mapped pages.
    static func freeAddressSpace(limit: Int, statistics: String, pageBytes: Int) -> Int? {
        guard let pages = statistics.split(separator: " ").first.flatMap({ Int($0) }) else { return nil }
        return max(limit - pages * pageBytes, 0)
    }

    /// Returns the kernel's available memory in bytes.
    static func machineMemory() -> Int {
        let available = (try? String(contentsOfFile: "/proc/meminfo", encoding: .utf8))?
            .split(separator: "\n").first { $0.hasPrefix("MemAvailable:") }?
            .split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 << 10 }
        return available ?? 1 << 30
    }
}
