import HTTPTypes

/// What a `ConnectionMachine` asks of the loop that performs its I/O.
enum ConnectionAction {
    /// A whole request: one exchange begins. No other follows before its `ended`.
    case deliver(HTTPRequest, body: [UInt8], charge: MemoryBudget.Reservation?)
    /// The exchange is over.
    case ended(ExchangeOutcome)
    /// `outbound` has bytes: write, and report what the kernel took.
    case write
    case pauseReading
    case resumeReading
    /// Send FIN after what was written.
    case shutdownSending
    /// Close the socket; nothing follows.
    case close
}
