import Basics
import HTTP

/// A request's body as received, possibly compressed.
struct EncodedBody: Sendable {
    var bytes: [UInt8]
    /// The content codings in the order in which they were applied.
    var codings: [ContentCoding] = []
    /// The maximum decoded size in bytes.
    var limit = Int.max

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// - Parameter limit: the maximum size of a body in bytes.
    init(_ message: HTTPMessage, limit: Int) {
        bytes = message.body
        // Requests with other codings were refused before.
        codings = ContentCoding.list(message.head.headerFields[.contentEncoding]) ?? []
        self.limit = limit
    }

    /// Returns the decoded body and its charge.
    ///
    /// - Parameter charge: the charge of the encoded body; `nil`: memory is not accounted.
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
