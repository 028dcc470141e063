import Foundation

/// The limit of open files (RLIMIT_NOFILE) below which a server cannot work.
///
/// It is checked first, since Dispatch ends the process with an illegal instruction when it gets no descriptor for itself.
struct DescriptorLimit: Error, CustomStringConvertible {
    /// Standard streams, listeners, what Dispatch and the event loop use, files of the model, and some connections.
    static let least = 32

    let limit: UInt64

    var description: String {
        "the limit of open files (ulimit -n) must be at least \(Self.least); got \(limit)"
    }

    /// - Throws: `DescriptorLimit` when the soft limit is too low.
    static func check() throws(DescriptorLimit) {
        var limits = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits) == 0 else { return }
        guard limits.rlim_cur >= least else { throw DescriptorLimit(limit: UInt64(limits.rlim_cur)) }
    }
}
