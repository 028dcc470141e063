@testable import HTTP

/// A connection: the real machine, between a scripted client and a kernel with small buffers.
final class SimulatedConnection {
    let id: Int
    var machine: ConnectionMachine
    /// The time of its next deadline check.
    var armed: ContinuousClock.Instant?
    /// The exchange that was delivered to the service and has not ended.
    var exchange: ExchangeID?

    /// The behavior of the client for its current request.
    var behaviour = SimulatedClient.Transfer()
    /// Clients whose requests the machine has not delivered, in order.
    var undelivered: [SimulatedClient] = []
    /// Clients whose replies have not been read, in order.
    var unread: [SimulatedClient] = []
    /// The bytes that the client has not sent yet.
    var unsent: ArraySlice<UInt8> = []
    /// The bytes sent since the connection was last idle, without heads.
    var sentBodyBytes = 0
    /// The offset of the body in the bytes that are not sent yet.
    var headBytesLeft = 0
    /// Whether the body is sent after 100 Continue.
    var awaitsContinue = false
    var hasProceeded = false
    /// Bytes that arrived while the loop does not read.
    var arrived: [UInt8] = []
    var isReading = true
    /// Bytes in the kernel that the client has not read.
    var kernel: [UInt8] = []
    var reader = SimulatedReader()
    var readIsDue = false
    /// Whether FIN follows the bytes in the kernel.
    var isFinished = false
    /// Whether the client has closed.
    var hasLeft = false
    var isClosed = false
    /// Whether it was closed to make room for another connection.
    var isEvicted = false
    /// Whether it is beyond the limit of connections.
    var isReserved = false
    /// Whether the engine was stalled when the last request arrived.
    var wasStalled = false
    /// The number of completely read replies.
    var answered = 0

    init(id: Int, machine: ConnectionMachine) {
        self.id = id
        self.machine = machine
    }

    /// The number of bytes of a reply that the kernel accepts.
    var room: Int { behaviour.readRate == nil ? .max : max(0, 4096 - kernel.count) }

    /// Whether all requests have replies, and the client may send another one.
    var isIdle: Bool { answered > 0 && !isClosed && !hasLeft && !isFinished && unread.isEmpty && unsent.isEmpty }

    /// Whether it sent everything in time and reads at once, so that it must not be closed.
    var isFaultless: Bool { behaviour.isPrompt && unsent.isEmpty && behaviour.sendsAll && !hasLeft }

    /// The minimum charge of an unfinished body in bytes.
    var heldBytes: Int {
        guard machine.phase == .body else { return 0 }
        // Without the lines of chunks.
        return max(0, sentBodyBytes - BodyBuffer.freeBytes - (behaviour.isChunked ? 64 : 0))
    }
}
