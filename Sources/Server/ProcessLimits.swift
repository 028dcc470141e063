import Foundation

/// The limits of the process, with the minimum for a server or an engine.
///
/// They are checked first, because without descriptors or memory, Dispatch and Swift's runtime end the process with an illegal
/// instruction, or wait forever.
public struct ProcessLimits: Sendable {
    /// A limit that is too low.
    public enum Shortage: Error, Sendable, Equatable, CustomStringConvertible {
        case descriptors(UInt64)
        /// The limit and the minimum in bytes.
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

    /// The minimum number of descriptors: standard streams, listeners, Dispatch and the event loop, files of the model, and some
    /// connections.
    static let leastDescriptors: UInt64 = 32

    /// The maximum number of open files (RLIMIT_NOFILE).
    var descriptors: UInt64
    /// The maximum address space in bytes (RLIMIT_AS).
    var addressSpace: UInt64
    /// The number of CPUs that the process may use: it determines the number of compute and preparation threads.
    var cpus: Int

    /// The limits of this process.
    public static var current: ProcessLimits {
        ProcessLimits(
            descriptors: softLimit(RLIMIT_NOFILE), addressSpace: softLimit(RLIMIT_AS),
            cpus: ProcessInfo.processInfo.activeProcessorCount)
    }

    /// The minimum address space in bytes: libraries, the allocator's reservations, Dispatch's threads, two stacks for each CPU.
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
