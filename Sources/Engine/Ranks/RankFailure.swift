/// The reason why ranks cannot work together. A failure ends all ranks.
public enum RankFailure: Error, Sendable, Equatable, CustomStringConvertible {
    /// The rank's process or host has ended.
    case lost(rank: Int)
    /// The rank's process or host does not respond.
    case timeout(rank: Int, seconds: Double)
    /// A step has been in the ring for too long, although all ranks are connected.
    case noReply(seconds: Double)
    /// The rank sent a message that violates the protocol.
    case message(rank: Int, reason: String)
    /// The ranks differ in build, model or options. All differences are listed.
    case mismatch([String])
    /// Another rank ended with this reason and exit code.
    case ended(rank: Int, reason: String, code: Int32)
    /// Messages cannot be sent.
    case transport(String)

    /// The exit code of the process: 78 (EX_CONFIG) if the ranks are not compatible, 1 if a rank cannot load its part of the model,
    /// and otherwise 70 (EX_SOFTWARE).
    public var exitCode: Int32 {
        switch self {
        case .mismatch: 78
        case .lost, .timeout, .noReply, .message, .transport: 70
        case .ended(_, _, let code): code
        }
    }

    public var description: String {
        switch self {
        case .lost(let rank): "rank \(rank) is lost: its process or its host has ended"
        case .timeout(let rank, let seconds): "rank \(rank) has not answered for \(seconds) s: its process has stopped"
        case .noReply(let seconds):
            "a step has had no reply for \(seconds) s: a rank hangs, or is slower than --rank-timeout"
        case .message(let rank, let reason): "a message from rank \(rank) \(reason)"
        case .mismatch(let differences): "the ranks differ: " + differences.joined(separator: "; ")
        case .ended(let rank, let reason, _): "rank \(rank): \(reason)"
        case .transport(let reason): reason
        }
    }
}

extension RankFailure {
    /// Creates the failure for an invalid message of another rank. Another version of the protocol means another build.
    init(_ error: RankMessageError, from rank: Int) {
        self =
            error.isOtherVersion
            ? .mismatch(["a message from rank \(rank) \(error.reason)"]) : .message(rank: rank, reason: error.reason)
    }
}
