/// The kinds of messages between ranks. Each message begins with the protocol's mark and version and its kind, in 8 bytes.
///
/// While ranks start, every other rank reports to rank 0, which answers all with a decision. Then steps go around: from rank 0
/// to 1, ..., to the last rank, and the reply from the last to rank 0. Messages between two ranks arrive in order.
enum RankMessage: UInt8 {
    /// To rank 0, which decides when it has all.
    case report = 1
    /// From rank 0, after the reports.
    case decision
    /// To rank 0 or from it: the sender cannot go on. An exit code in 4 bytes, and a text.
    case failure
    /// ``StepMessage``, to the next rank.
    case step
    /// ``StepReply``, from the last rank to rank 0.
    case reply
    /// Nothing comes before the bell rings; passed on to the next rank.
    case rest
    /// Nothing comes anymore; passed on to the next rank.
    case stop

    /// "TRNP"
    private static let mark: UInt32 = 0x504E_5254
    static let version: UInt16 = 1
    static let headerBytes = 8
    /// The most bytes of a message that is not about a step.
    static let shortBytes = 1 << 16

    /// The mark and the version.
    static var start: RankWriter {
        var writer = RankWriter()
        writer.add(mark)
        writer.add(version)
        return writer
    }

    /// The beginning of a message of this kind.
    var writer: RankWriter {
        var writer = Self.start
        writer.add(rawValue)
        writer.add(UInt8(0))
        return writer
    }

    /// Reads the beginning of a message.
    static func read(_ reader: inout RankReader) throws(RankMessageError) -> RankMessage {
        try readStart(&reader)
        let kind: UInt8 = try reader.integer()
        guard let message = RankMessage(rawValue: kind) else { throw RankMessageError(reason: "has kind \(kind)") }
        _ = try reader.integer(UInt8.self)
        return message
    }

    /// Reads the mark and the version.
    static func readStart(_ reader: inout RankReader) throws(RankMessageError) {
        guard try reader.integer() == mark else { throw RankMessageError(reason: "is not a message of this protocol") }
        let version: UInt16 = try reader.integer()
        guard version == Self.version else {
            throw RankMessageError(
                reason: "has version \(version) of the protocol, not \(Self.version)", isOtherVersion: true)
        }
    }
}
