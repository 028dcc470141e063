import HTTPTypes

/// An action that a `ConnectionMachine` requests from the loop that performs its I/O.
enum ConnectionAction {
    /// A complete request: an exchange begins. No other one follows before its `ended`.
    case deliver(HTTPRequest, body: [UInt8], charge: MemoryBudget.Reservation?)
    /// The exchange has ended.
    case ended(ExchangeOutcome)
    /// `outbound` has bytes: write them, and report how many the kernel accepted.
    case write
    case pauseReading
    case resumeReading
    /// Send FIN after the written bytes.
    case shutdownSending
    /// Close the socket; nothing follows.
    case close
}
