/// Reads replies like a client, and checks that they are valid HTTP: whole replies, one after another, without a byte between
/// them.
struct SimulatedReader {
    /// The result of reading bytes.
    enum Event: Equatable {
        /// 100 Continue.
        case proceeds
        case head(status: Int)
        case end
    }

    /// Invalid HTTP.
    struct Malformed: Error {
        var reason: String
    }

    private enum State: Equatable {
        case head
        case counted(Int)
        case chunkSize
        /// The last chunk and the line after it.
        case lastChunk
        /// Including the line end.
        case chunkData(Int)
    }

    private var state = State.head
    /// The result of parsing a head, or the line of a chunk.
    private var line: [UInt8] = []

    /// Whether a reply has begun and not ended.
    var isWithin: Bool { state != .head || !line.isEmpty }

    /// Reads the server's bytes; returns the results.
    mutating func receive(_ bytes: ArraySlice<UInt8>) throws(Malformed) -> [Event] {
        var rest = bytes
        var events: [Event] = []
        while let first = rest.first {
            switch state {
            case .head:
                line.append(first)
                rest.removeFirst()
                if line.suffix(4) == [13, 10, 13, 10] { try endHead(&events) }
            case .counted(let left), .chunkData(let left):
                let taken = min(left, rest.count)
                rest = rest.dropFirst(taken)
                skipped(left - taken, &events)
            case .chunkSize, .lastChunk:
                line.append(first)
                rest.removeFirst()
                if line.suffix(2) == [13, 10] { try endLine(&events) }
            }
        }
        return events
    }

    private mutating func skipped(_ left: Int, _ events: inout [Event]) {
        if case .counted = state {
            state = left == 0 ? .head : .counted(left)
            if left == 0 { events.append(.end) }
        } else {
            state = left == 0 ? .chunkSize : .chunkData(left)
        }
    }

    private mutating func endHead(_ events: inout [Event]) throws(Malformed) {
        let text = String(decoding: line, as: UTF8.self)
        line = []
        let lines = text.split(separator: "\r\n")
        let parts = lines.first?.split(separator: " ") ?? []
        guard parts.count >= 2, parts[0] == "HTTP/1.1", let status = Int(parts[1]) else {
            throw Malformed(reason: "begins with \(text.prefix(60))")
        }
        if status == 100 { return events.append(.proceeds) }
        events.append(.head(status: status))
        let fields = lines.dropFirst().map { $0.lowercased() }
        let lengths = fields.filter { $0.hasPrefix("content-length: ") }.compactMap { Int($0.dropFirst(16)) }
        let isChunked = fields.contains("transfer-encoding: chunked")
        guard lengths.count == (isChunked ? 0 : 1) else { throw Malformed(reason: "has no one length: \(text)") }
        if isChunked { state = .chunkSize } else { state = .counted(lengths[0]) }
        if lengths == [0] { skipped(0, &events) }
    }

    private mutating func endLine(_ events: inout [Event]) throws(Malformed) {
        let text = String(decoding: line.dropLast(2), as: UTF8.self)
        line = []
        if state == .lastChunk {
            guard text.isEmpty else { throw Malformed(reason: "has a trailer: \(text)") }
            state = .head
            return events.append(.end)
        }
        guard let size = Int(text, radix: 16) else { throw Malformed(reason: "has a chunk of '\(text)' bytes") }
        state = size == 0 ? .lastChunk : .chunkData(size + 2)
    }
}
