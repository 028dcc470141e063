@testable import HTTP

/// A connection: the real machine, between the script of a client and a kernel with little room.
final class SimulatedConnection {
    let id: Int
    var machine: ConnectionMachine
    /// When its next look at the deadline is due.
    var armed: ContinuousClock.Instant?
    /// The exchange that the service was given and that has not ended.
    var exchange: ExchangeID?

    /// How the client behaves with the request that it sends now.
    var behaviour = SimulatedClient.Transfer()
    /// Whose requests the machine has not delivered, in order.
    var undelivered: [SimulatedClient] = []
    /// Whose replies have not been read, in order.
    var unread: [SimulatedClient] = []
    /// What the client has still to send.
    var unsent: ArraySlice<UInt8> = []
    /// What was sent since the connection was last idle, beyond heads.
    var sentBodyBytes = 0
    /// Where the body begins in what is still to be sent, in bytes.
    var headBytesLeft = 0
    /// The body comes after 100 Continue.
    var awaitsContinue = false
    var hasProceeded = false
    /// What has arrived while the loop does not read.
    var arrived: [UInt8] = []
    var isReading = true
    /// What the kernel has and the client has not read.
    var kernel: [UInt8] = []
    var reader = SimulatedReader()
    var readIsDue = false
    /// FIN follows what is in the kernel.
    var isFinished = false
    /// The client has closed.
    var hasLeft = false
    var isClosed = false
    /// Had to make room for another connection.
    var isEvicted = false
    /// Is one of those beyond the limit.
    var isReserved = false
    /// The engine was stalled when the last request came.
    var wasStalled = false
    /// Replies that were read to their end.
    var answered = 0

    init(id: Int, machine: ConnectionMachine) {
        self.id = id
        self.machine = machine
    }

    /// How much of a reply the kernel takes.
    var room: Int { behaviour.readRate == nil ? .max : max(0, 4096 - kernel.count) }

    /// All was answered, and the client may ask again.
    var isIdle: Bool { answered > 0 && !isClosed && !hasLeft && !isFinished && unread.isEmpty && unsent.isEmpty }

    /// Sent all in time and reads at once: it must not be cut off.
    var isFaultless: Bool { behaviour.isPrompt && unsent.isEmpty && behaviour.sendsAll && !hasLeft }

    /// The bytes of an unfinished body that are charged to the budget, at least.
    var heldBytes: Int {
        guard machine.phase == .body else { return 0 }
        // Lines of chunks are no part of it.
        return max(0, sentBodyBytes - BodyBuffer.freeBytes - (behaviour.isChunked ? 64 : 0))
    }
}
