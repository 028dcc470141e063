/// Decodes the bytes of one body (RFC 9112, 6 and 7.1). The decoded size never exceeds the limit. Memory is allocated, and
/// charged to a budget, as bytes arrive and not as they are announced.
package struct BodyDecoder {
    private enum State {
        /// With Content-Length: the number of bytes that have not arrived.
        case counted(Int)
        case chunkSize
        case chunkData(Int)
        case chunkEnd
        case trailer
        case done
    }

    private let limits: WireLimits
    private var state: State
    private var scanner = LineScanner()
    /// The number of bytes of chunk extensions and trailers, which are no part of the body.
    private var overheadBytes = 0
    private var trailerFields = 0

    /// The decoded bytes so far.
    package private(set) var body: BodyBuffer

    /// - Parameters:
    ///   - framing: How the end of the body is found. The parser has checked a length against the limit.
    ///   - budget: The budget for the body's memory.
    ///   - account: The owner of the body.
    package init(
        framing: RequestHead.Framing, limits: WireLimits, budget: MemoryBudget = MemoryBudget(limit: .max),
        account: MemoryBudget.Account = .common
    ) {
        guard let reservation = budget.reserve(0, for: account) else {
            preconditionFailure("every budget has room for nothing")
        }
        body = BodyBuffer(chargedTo: reservation)
        self.limits = limits
        state =
            switch framing {
            case .length(0): .done
            case .length(let count): .counted(count)
            case .chunked: .chunkSize
            }
    }

    /// Returns the whole body, once it has ended, with its charge.
    package mutating func takeBody() -> ([UInt8], MemoryBudget.Reservation) { body.take() }

    /// Takes the body's bytes from `buffer`. Returns whether the body has ended.
    package mutating func decode(_ buffer: inout ByteBuffer) throws(WireError) -> Bool {
        while true {
            switch state {
            case .counted(let remaining):
                let taken = try take(from: &buffer, atMost: remaining, remaining: remaining)
                state = taken == remaining ? .done : .counted(remaining - taken)
                if taken < remaining { return false }
            case .chunkSize:
                guard
                    let length = try scanner.next(in: buffer, limit: limits.chunkLineBytes, excess: .malformedChunk)
                else { return false }
                let size = try chunkSize(buffer[0..<length])
                buffer.consume(length + 2)
                guard size <= limits.bodyBytes - body.count else { throw .bodyTooLarge }
                state = size == 0 ? .trailer : .chunkData(size)
            case .chunkData(let remaining):
                let taken = try take(from: &buffer, atMost: remaining, remaining: limits.bodyBytes - body.count)
                state = taken == remaining ? .chunkEnd : .chunkData(remaining - taken)
                if taken < remaining { return false }
            case .chunkEnd:
                guard let first = buffer.isEmpty ? nil : buffer[0] else { return false }
                guard first == .carriageReturn else { throw .malformedChunk }
                guard buffer.count >= 2 else { return false }
                guard buffer[1] == .lineFeed else { throw .malformedChunk }
                buffer.consume(2)
                state = .chunkSize
            case .trailer:
                let limit = limits.headerBytes - overheadBytes
                guard let length = try scanner.next(in: buffer, limit: limit, excess: .headerTooLarge) else {
                    return false
                }
                try checkTrailer(buffer[0..<length])
                buffer.consume(length + 2)
                if length == 0 { state = .done }
            case .done:
                return true
            }
        }
    }

    /// - Parameter remaining: The maximum length of the rest of the body.
    private mutating func take(
        from buffer: inout ByteBuffer, atMost limit: Int, remaining: Int
    ) throws(WireError) -> Int {
        let count = min(limit, buffer.count)
        try body.append(buffer[0..<count], remaining: remaining)
        buffer.consume(count)
        return count
    }

    /// Parses `1*HEXDIG [ BWS ";" extension ]` (RFC 9112, 7.1 and 7.1.1). Extensions are ignored, but their total size is limited.
    private mutating func chunkSize(_ line: ArraySlice<UInt8>) throws(WireError) -> Int {
        let digits = line.prefix { $0.hexadecimalValue != nil }
        // 15 digits cannot overflow.
        guard (1...15).contains(digits.count) else { throw .malformedChunk }
        let rest = line[digits.endIndex...]
        if !rest.isEmpty {
            guard rest.trimmed.first == UInt8(ascii: ";") else { throw .malformedChunk }
            overheadBytes += rest.count
            guard overheadBytes <= limits.headerBytes else { throw .malformedChunk }
        }
        return digits.reduce(0) { $0 << 4 | ($1.hexadecimalValue ?? 0) }
    }

    /// Validates a trailer and discards it. Trailers are not needed, and merging them into the header is unsafe (RFC 9110, 6.5.1).
    private mutating func checkTrailer(_ line: ArraySlice<UInt8>) throws(WireError) {
        guard !line.isEmpty else { return }
        _ = try FieldLine(line)
        overheadBytes += line.count
        trailerFields += 1
        guard trailerFields <= limits.headerFields else { throw .headerTooLarge }
    }
}
