import Foundation

/// The limits of the process below which neither a server nor an engine works.
///
/// They are checked before anything else: Dispatch and Swift's own threads end the process with an illegal instruction, or wait
/// for ever, when the system gives them no descriptor or no memory.
public struct ProcessLimits: Sendable {
    /// A limit that is too low.
    public enum Shortage: Error, Sendable, Equatable, CustomStringConvertible {
        case descriptors(UInt64)
        /// In bytes.
        case addressSpace(UInt64, least: UInt64)

        public var description: String {
            switch self {
            case .descriptors(let limit):
                "the limit of open files (ulimit -n) must be at least \(ProcessLimits.leastDescriptors); got \(limit)"
            case .addressSpace(let limit, let least):
                """
                the limit of address space (ulimit -v) must be at least \(least >> 10) KiB, beside the model; got \
                \(limit >> 10) KiB
                """
            }
        }
    }

    /// Standard streams, listeners, what Dispatch and the event loop use, files of the model, and some connections.
    static let leastDescriptors: UInt64 = 32

    /// What may be opened (RLIMIT_NOFILE).
    var descriptors: UInt64
    /// Bytes that may be mapped (RLIMIT_AS).
    var addressSpace: UInt64
    /// CPUs that the process may use: so many threads compute, and as many prepare requests.
    var cpus: Int

    /// Of this process.
    public static var current: ProcessLimits {
        ProcessLimits(
            descriptors: softLimit(RLIMIT_NOFILE), addressSpace: softLimit(RLIMIT_AS),
            cpus: ProcessInfo.processInfo.activeProcessorCount)
    }

    /// Libraries, what the allocator reserves, Dispatch's threads, and two stacks for each CPU.
    var leastAddressSpace: UInt64 { 768 << 20 + UInt64(max(0, cpus)) * (16 << 20) }

    /// - Throws: the first limit that is too low.
    public func check() throws(Shortage) {
        guard descriptors >= Self.leastDescriptors else { throw .descriptors(descriptors) }
        guard addressSpace >= leastAddressSpace else {
            throw .addressSpace(addressSpace, least: leastAddressSpace)
        }
    }

    private static func softLimit(_ resource: __rlimit_resource) -> UInt64 {
        var limits = rlimit()
        guard getrlimit(__rlimit_resource_t(resource.rawValue), &limits) == 0 else { return .max }
        return UInt64(limits.rlim_cur)
    }
}
