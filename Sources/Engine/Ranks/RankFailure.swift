/// Why ranks cannot work together. It ends all of them.
public enum RankFailure: Error, Sendable, Equatable, CustomStringConvertible {
    /// Its process or its host is gone.
    case lost(rank: Int)
    /// It has not answered in time.
    case timeout(rank: Int, seconds: Double)
    /// It sent a message that breaks the protocol.
    case message(rank: Int, reason: String)
    /// The ranks differ in build, model or options: all differences.
    case mismatch([String])
    /// Another rank ended with this reason and exit code.
    case ended(rank: Int, reason: String, code: Int32)
    /// Messages cannot be sent.
    case transport(String)

    /// The exit code of the process: 78 (EX_CONFIG) if the ranks do not fit together, otherwise 70 (EX_SOFTWARE), or 1 if a rank
    /// cannot load its part of the model.
    public var exitCode: Int32 {
        switch self {
        case .mismatch: 78
        case .lost, .timeout, .message, .transport: 70
        case .ended(_, _, let code): code
        }
    }

    public var description: String {
        switch self {
        case .lost(let rank): "rank \(rank) is lost: its process or its host has ended"
        case .timeout(let rank, let seconds): "rank \(rank) has not answered for \(seconds) s"
        case .message(let rank, let reason): "a message from rank \(rank) \(reason)"
        case .mismatch(let differences): "the ranks differ: " + differences.joined(separator: "; ")
        case .ended(let rank, let reason, _): "rank \(rank): \(reason)"
        case .transport(let reason): reason
        }
    }
}
