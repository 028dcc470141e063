import Checkpoints
import Foundation
import Logging
import Scheduling

/// The agreement of the ranks during loading, and this rank's part of the model.
struct RankAssembly {
    let group: RankGroup
    let stage: Stage
    let terms: RankTerms
    private let options: EngineOptions
    private let config: ModelConfig

    /// Agrees on the stages and the kernels.
    ///
    /// - Throws: `RankFailure.mismatch` if ranks differ in what must be the same; `StagePlanner.Failure` if the layers cannot be
    ///   divided.
    init(
        _ group: RankGroup, _ options: EngineOptions, _ config: ModelConfig, _ checkpoint: Checkpoint, _ logger: Logger
    ) throws {
        self.group = group
        self.options = options
        self.config = config
        let hello = Self.hello(options, config, checkpoint)
        let decision = try group.agree(hello.bytes) { reports in
            try Self.decide(reports, StagePlanner(checkpoint, config: config), options, logger).bytes
        }
        do throws(RankMessageError) {
            terms = try RankTerms(decision, ranks: group.ranks, layers: config.layers)
        } catch {
            throw RankFailure.message(rank: 0, reason: error.reason)
        }
        stage = Stage.stages(layerCounts: terms.layerCounts)[group.rank]
    }

    /// The kernels that all CPUs support, or `nil` to use the kernels chosen before.
    var kernelSet: KernelSet? { terms.kernelSet.flatMap(KernelSet.init) }

    /// This rank's share of its CPUs, or `nil` if another rank may use some of them.
    var cpuShare: CPUShare? { terms.cpuShares[group.rank] }

    /// This rank's share of the memory that is currently free.
    var freeMemory: Int {
        MemoryPlan.freeMemory(
            ranksOnMachine: terms.ranksOnMachine[group.rank], ranksInGroup: terms.ranksInGroup[group.rank])
    }

    var descriptions: [RankDescription] {
        zip(terms.hosts, Stage.stages(layerCounts: terms.layerCounts)).map {
            RankDescription(host: $0, layers: $1.layers)
        }
    }

    func bounds(_ geometry: KVCacheGeometry) -> StepBounds {
        StepBounds(options, config: config, geometry: geometry)
    }

    /// Waits until all ranks have called this. Throws if one of them has failed before.
    func waitForAll() throws {
        _ = try group.agree([]) { _ in [] }
    }

    /// Agrees on the number of blocks, which is the smallest number of all ranks.
    ///
    /// - Parameter own: The number of blocks that fit on this rank.
    func blocks(_ own: Int) throws -> Int {
        func bytes(_ count: Int) -> [UInt8] {
            var writer = RankWriter()
            writer.add(UInt32(clamping: count))
            return writer.bytes
        }
        func count(_ bytes: [UInt8], from rank: Int) throws(RankFailure) -> Int {
            do throws(RankMessageError) {
                var reader = RankReader(bytes)
                return try reader.count(in: 1...Int(Int32.max), "the number of blocks")
            } catch {
                throw .message(rank: rank, reason: error.reason)
            }
        }
        let decision = try group.agree(bytes(own)) { reports in
            var least = Int.max
            for (rank, report) in reports.enumerated() { least = min(least, try count(report, from: rank)) }
            return bytes(least)
        }
        return try count(decision, from: 0)
    }

    private static func hello(
        _ options: EngineOptions, _ config: ModelConfig, _ checkpoint: Checkpoint
    ) -> RankHello {
        var shape = Fingerprint()
        shape.add("\(config)")
        let terms = [
            ("the build", BuildIdentity.current),
            ("config.json", "\(shape)"),
            ("the model's files", "\(checkpoint.fingerprint)"),
            ("--compute", options.compute.rawValue),
            ("--kernels", options.kernels?.rawValue ?? "not given"),
            ("--quantization", options.quantization.rawValue),
            ("--kv-cache-dtype", options.cacheType.rawValue),
            ("--max-num-batched-tokens", "\(options.maxBatchedTokens)"),
            ("--max-num-seqs", "\(options.maxSequences)"),
            ("--max-model-len", options.maxModelLength.map(String.init) ?? "not given"),
            ("--stage-layers", options.stageLayers.map { "\($0)" } ?? "not given"),
        ]
        return RankHello(
            host: ProcessInfo.processInfo.hostName, machine: machine, group: controlGroup,
            machineMemory: MemoryPlan.machineMemory(), groupMemory: ControlGroup().freeMemory ?? .max,
            cpus: (options.cpus ?? .ofProcess()).numbers,
            kernelSets: options.compute == .blas ? [] : KernelSet.available.map(\.rawValue),
            terms: terms.map { RankHello.Term(name: $0.0, value: $0.1) })
    }

    /// An id of the running system of this machine, which is the same in all of its containers.
    private static var machine: String {
        let text = try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)
        return text?.trimmingCharacters(in: .whitespacesAndNewlines) ?? "unknown"
    }

    /// A short id of the control group.
    private static var controlGroup: String {
        var fingerprint = Fingerprint()
        fingerprint.add(ControlGroup.identity)
        return "\(fingerprint)"
    }

    private static func decide(
        _ reports: [[UInt8]], _ planner: StagePlanner, _ options: EngineOptions, _ logger: Logger
    ) throws -> RankTerms {
        var hellos: [RankHello] = []
        for (rank, report) in reports.enumerated() {
            do throws(RankMessageError) {
                hellos.append(try RankHello(report))
            } catch {
                throw RankFailure.message(rank: rank, reason: error.reason)
            }
        }
        let agreement = RankAgreement(hellos: hellos)
        guard agreement.differences.isEmpty else { throw RankFailure.mismatch(agreement.differences) }
        for line in agreement.idleKernelSets {
            logger.warning("using \(agreement.kernelSet ?? "") kernels: \(line), but not every rank")
        }
        return RankTerms(
            layerCounts: try agreement.layerCounts(planner, given: options.stageLayers),
            kernelSet: options.kernels == nil ? agreement.kernelSet : nil, hosts: hellos.map(\.host),
            ranksOnMachine: agreement.ranksOnMachine, ranksInGroup: agreement.ranksInGroup,
            cpuShares: agreement.cpuShares)
    }
}
