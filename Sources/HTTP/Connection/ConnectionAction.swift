import HTTPTypes

/// An action that a `ConnectionMachine` requests from the loop that performs its I/O.
enum ConnectionAction {
    /// Deliver a complete request to the service, which begins an exchange. No other one follows before its `ended`.
    case deliver(HTTPRequest, body: [UInt8], charge: MemoryBudget.Reservation?)
    /// The exchange has ended.
    case ended(ExchangeOutcome)
    /// Write the bytes of `outbound`, and report how many the kernel accepted.
    case write
    case pauseReading
    case resumeReading
    /// Send FIN after the written bytes.
    case shutdownSending
    /// Close the socket; nothing follows.
    case close
}
