import HTTP

/// What one request holds of the memory for requests: its body and what is read from it, and what is made of that, which lives
/// longer. All of it is charged to its key before it is allocated, or as soon as its size is known.
struct RequestMemory: Sendable {
    /// What a request's prompts, or its reply, may take before they are charged, in bytes: a small request is never refused for
    /// the large ones of others. Permits bound all of these together.
    static let freeBytes = 64 << 10
    /// What the values of each body may take before they are charged.
    static let freeJSONBytes = 256 << 10
    /// How many times as much as its JSON a conversation takes: measured with 500,000 short messages.
    private static let conversationFactor = 4
    /// What tokenizing takes for each byte of a text: a copy, and up to one id, in an array that may be twice as large.
    private static let encodingFactor = 1 + 2 * MemoryLayout<Int32>.stride
    /// What an array or a string takes beside its elements.
    static let header = 64

    /// The body, and the values that are read from it.
    let body: MemoryBudget.Reservation
    /// Prompts, and what else is kept until the reply's end; or the reply.
    let kept: MemoryBudget.Reservation
    /// What the JSON of the body takes beyond what is free.
    private let chargedJSONBytes: Int

    /// - Parameters:
    ///   - body: what the body is charged as.
    ///   - jsonBytes: the most that its JSON takes once it is read.
    init(body: MemoryBudget.Reservation, jsonBytes: Int) {
        self.body = body
        chargedJSONBytes = max(0, jsonBytes - Self.freeJSONBytes)
        kept = body.beside(freeBytes: Self.freeBytes)
    }

    /// Charges what the JSON of the body takes, before it is read.
    ///
    /// - Throws: as `Reservation.charge` does.
    func chargeJSON() throws(APIError) { try chargeBody(chargedJSONBytes) }

    /// - Throws: as `Reservation.charge` does.
    private func chargeBody(_ bytes: Int) throws(APIError) { try body.charge(bytes, beside: kept.chargedBytes) }

    /// Charges what a conversation takes beside its JSON, before it is read from it: messages, the values of the chat template,
    /// the rendered text and its parts.
    ///
    /// - Throws: as `Reservation.charge` does.
    func chargeConversation() throws(APIError) { try chargeBody(Self.conversationFactor * chargedJSONBytes) }

    /// Charges what tokenizing a text takes, as long as `work` does it.
    ///
    /// - Parameter bytes: of the text.
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
    /// Reserves more.
    ///
    /// - Parameter other: what the request is charged elsewhere.
    /// - Throws: a request that takes more than it could ever get is the client's mistake; one that takes more than is free now
    ///   may be sent again.
    func charge(_ bytes: Int, beside other: Int = 0) throws(APIError) {
        if grow(by: bytes) { return }
        let all = chargedBytes + other + bytes
        guard all <= mostCharged else { throw .bodyTooComplex(bytes: all, limit: mostCharged) }
        throw .overloaded(.memory, retryAfter: 1)
    }
}

extension RequestMemory? {
    /// As ``RequestMemory/whileEncoding(_:_:)``; `nil`: nobody counts.
    func whileEncoding<Result>(
        _ bytes: Int, _ work: () throws(APIError) -> Result
    ) throws(APIError) -> Result {
        guard let self else { return try work() }
        return try self.whileEncoding(bytes, work)
    }
}
