import Basics
import HTTP

/// A request's body as it came, perhaps compressed.
struct EncodedBody: Sendable {
    var bytes: [UInt8]
    /// What was applied to it, in order.
    var codings: [ContentCoding] = []
    /// The most bytes that it may have without its codings.
    var limit = Int.max

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// - Parameter limit: the most bytes that a body may have.
    init(_ message: HTTPMessage, limit: Int) {
        bytes = message.body
        // Others were refused by the head.
        codings = ContentCoding.list(message.head.headerFields[.contentEncoding]) ?? []
        self.limit = limit
    }

    /// The body without its codings, and what it is charged as.
    ///
    /// - Parameter charge: what the body is charged as; `nil`: nobody counts.
    func decoded(
        charge: MemoryBudget.Reservation?
    ) throws(APIError) -> (bytes: [UInt8], charge: MemoryBudget.Reservation?) {
        if codings.isEmpty { return (bytes, charge) }
        guard let account = charge ?? MemoryBudget(limit: .max).reserve(0) else { throw .internalError }
        do throws(ContentDecodingError) {
            let decoder = ContentDecoder(limit: limit) { Cancellation.isRequested }
            let decoded = try decoder.decode(bytes, codings, charge: account)
            return (decoded.0, charge == nil ? nil : decoded.1)
        } catch {
            switch error {
            case .malformed(let coding): throw .malformedContent(coding, isIncomplete: false)
            case .incomplete(let coding): throw .malformedContent(coding, isIncomplete: true)
            case .tooLarge: throw .wire(.bodyTooLarge, bodyLimit: limit)
            case .memoryExhausted: throw .overloaded(.memory, retryAfter: 1)
            case .stopped: throw .aborted
            }
        }
    }
}
