/// The kinds of messages between ranks. Each message begins with an 8-byte header: the protocol's magic number, its version and the
/// kind.
///
/// At start, every other rank sends a report to rank 0, which sends a decision to all. After that, steps go around the ring: from
/// rank 0 to rank 1, and so on to the last rank, which sends the reply to rank 0. Messages between two ranks arrive in order.
enum RankMessage: UInt8 {
    /// A report to rank 0, which decides when it has all reports.
    case report = 1
    /// The decision of rank 0 after the reports.
    case decision
    /// A message to or from rank 0: the sender cannot continue. It contains an exit code in 4 bytes and a text.
    case failure
    /// A ``StepMessage`` to the next rank.
    case step
    /// A ``StepReply`` from the last rank to rank 0.
    case reply
    /// No message follows before the bell rings. Each rank passes this on to the next one.
    case rest
    /// No message follows. Each rank passes this on to the next one.
    case stop

    /// The magic number "TRNP".
    private static let mark: UInt32 = 0x504E_5254
    static let version: UInt16 = 1
    static let headerBytes = 8
    /// The maximum size in bytes of a message that is not about a step.
    static let shortBytes = 1 << 16

    /// A writer that has written the magic number and the version.
    static var start: RankWriter {
        var writer = RankWriter()
        writer.add(mark)
        writer.add(version)
        return writer
    }

    /// A writer that has written the header of this kind.
    var writer: RankWriter {
        var writer = Self.start
        writer.add(rawValue)
        writer.add(UInt8(0))
        return writer
    }

    /// Reads the header of a message.
    static func read(_ reader: inout RankReader) throws(RankMessageError) -> RankMessage {
        try readStart(&reader)
        let kind: UInt8 = try reader.integer()
        guard let message = RankMessage(rawValue: kind) else { throw RankMessageError(reason: "has kind \(kind)") }
        _ = try reader.integer(UInt8.self)
        return message
    }

    /// Reads the magic number and the version.
    static func readStart(_ reader: inout RankReader) throws(RankMessageError) {
        guard try reader.integer() == mark else { throw RankMessageError(reason: "is not a message of this protocol") }
        let version: UInt16 = try reader.integer()
        guard version == Self.version else {
            throw RankMessageError(
                reason: "has version \(version) of the protocol, not \(Self.version)", isOtherVersion: true)
        }
    }
}
