import HTTP

/// The memory of one request: its body and the values read from it, and the data derived from them, which lives longer. All of
/// it is charged to its key before it is allocated, or as soon as its size is known.
struct RequestMemory: Sendable {
    /// The bytes of a request's prompts, or of its reply, that are not charged, so that a small request is never refused because of
    /// the large ones of others. Permits limit their total.
    static let freeBytes = 64 << 10
    /// The bytes of the values of each body that are not charged.
    static let freeJSONBytes = 256 << 10
    /// The ratio of a conversation's memory to that of its JSON, measured with 500,000 short messages.
    private static let conversationFactor = 4
    /// The memory of tokenizing for each byte of a text: a copy, and up to one id, in an array that may be twice as large.
    private static let encodingFactor = 1 + 2 * MemoryLayout<Int32>.stride
    /// The overhead of an array or a string.
    static let header = 64

    /// The body, and the values that are read from it.
    let body: MemoryBudget.Reservation
    /// The prompts and other data that is kept until the end of the reply, or the reply.
    let kept: MemoryBudget.Reservation
    /// The charged part of the body's JSON.
    private let chargedJSONBytes: Int

    /// - Parameters:
    ///   - body: the charge of the body.
    ///   - jsonBytes: the maximum memory of its JSON once it is parsed.
    init(body: MemoryBudget.Reservation, jsonBytes: Int) {
        self.body = body
        chargedJSONBytes = max(0, jsonBytes - Self.freeJSONBytes)
        kept = body.beside(freeBytes: Self.freeBytes)
    }

    /// Charges the JSON of the body before it is parsed.
    ///
    /// - Throws: as `Reservation.charge` does.
    func chargeJSON() throws(APIError) { try chargeBody(chargedJSONBytes) }

    /// - Throws: as `Reservation.charge` does.
    private func chargeBody(_ bytes: Int) throws(APIError) { try body.charge(bytes, beside: kept.chargedBytes) }

    /// Charges the additional memory of a conversation before it is read: messages, the values of the chat template, the
    /// rendered text and its parts.
    ///
    /// - Throws: as `Reservation.charge` does.
    func chargeConversation() throws(APIError) { try chargeBody(Self.conversationFactor * chargedJSONBytes) }

    /// Charges the memory of tokenizing a text while `work` runs.
    ///
    /// - Parameter bytes: the size of the text.
    /// - Throws: as `Reservation.charge` does, or what `work` throws.
    func whileEncoding<Result>(
        _ bytes: Int, _ work: () throws(APIError) -> Result
    ) throws(APIError) -> Result {
        let before = body.bytes
        try chargeBody(max(0, Self.encodingFactor * bytes - Self.freeJSONBytes))
        defer { body.shrink(to: before) }
        return try work()
    }

    /// - Throws: as `Reservation.charge` does.
    func chargeKept(_ bytes: Int) throws(APIError) { try kept.charge(bytes, beside: body.chargedBytes) }
}

extension MemoryBudget.Reservation {
    /// Reserves more bytes.
    ///
    /// - Parameter other: the request's other charges.
    /// - Throws: `bodyTooComplex` if the request needs more than it could ever get, `overloaded` if it needs more than is free
    ///   now.
    func charge(_ bytes: Int, beside other: Int = 0) throws(APIError) {
        if grow(by: bytes) { return }
        let all = chargedBytes + other + bytes
        guard all <= mostCharged else { throw .bodyTooComplex(bytes: all, limit: mostCharged) }
        throw .overloaded(.memory, retryAfter: 1)
    }
}

extension RequestMemory? {
    /// The same as ``RequestMemory/whileEncoding(_:_:)``; `nil`: memory is not accounted.
    func whileEncoding<Result>(
        _ bytes: Int, _ work: () throws(APIError) -> Result
    ) throws(APIError) -> Result {
        guard let self else { return try work() }
        return try self.whileEncoding(bytes, work)
    }
}
