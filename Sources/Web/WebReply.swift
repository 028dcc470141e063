import Foundation

/// The reply to a request: its head, and the body as it arrives.
public final class WebReply {
    public let status: Int
    /// The header fields by lowercase name. If a name occurs several times, this is the last field.
    public let fields: [String: String]
    /// The address that replied, after redirects.
    public let address: WebAddress
    private let connection: WebConnection
    private var rest: Rest

    /// The remaining part of the body.
    private enum Rest {
        case bytes(Int)
        /// The number of remaining bytes of a chunk.
        case chunk(Int)
        case untilClose
    }

    private static let lineBytes = 16 * 1024
    private static let mostFields = 200

    /// Reads the head.
    init(_ connection: WebConnection, address: WebAddress) throws(WebError) {
        func malformed(_ reason: String) -> WebError { .malformed(address.host, reason: reason) }
        var head: (status: Int, fields: [String: String])
        repeat {
            let words = try connection.line(atMost: Self.lineBytes).split(separator: " ", maxSplits: 2)
            guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]), words[1].count == 3
            else {
                throw malformed("no reply of HTTP/1.1")
            }
            head = (status, [:])
            for count in 0... {
                let line = try connection.line(atMost: Self.lineBytes)
                if line.isEmpty { break }
                guard count < Self.mostFields else { throw malformed("more than \(Self.mostFields) header fields") }
                guard let colon = line.firstIndex(of: ":") else { throw malformed("a header field without a colon") }
                head.fields[line[..<colon].lowercased()] =
                    line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
            }
            // Interim replies are skipped.
        } while (100...199).contains(head.status)
        (status, fields) = head
        self.address = address
        self.connection = connection
        if let coding = fields["transfer-encoding"] {
            guard coding.lowercased() == "chunked" else { throw malformed("the transfer coding '\(coding)'") }
            rest = .chunk(0)
        } else if let length = fields["content-length"] {
            // The bound keeps sums of sizes from overflowing.
            guard let count = Int(length), (0...1 << 48).contains(count) else {
                throw malformed("the Content-Length '\(length)'")
            }
            rest = .bytes(count)
        } else {
            rest = .untilClose
        }
        // The request asked for no compression.
        guard ["identity", nil].contains(fields["content-encoding"]?.lowercased()) else {
            throw malformed("a compressed reply")
        }
    }

    /// The time by which the rest of the body must arrive.
    public var deadline: ContinuousClock.Instant {
        get { connection.deadline }
        set { connection.deadline = newValue }
    }

    /// Returns the next bytes of the body, or `nil` at its end.
    ///
    /// - Throws: `WebError.closed` if the connection ends before the body does.
    public func next() throws(WebError) -> ArraySlice<UInt8>? {
        if case .chunk(0) = rest {
            try beginChunk()
        }
        switch rest {
        case .bytes(0): return nil
        case .bytes(let count):
            let bytes = try received(atMost: count)
            rest = .bytes(count - bytes.count)
            return bytes
        case .chunk(let count):
            let bytes = try received(atMost: count)
            rest = .chunk(count - bytes.count)
            // The line ending after the chunk.
            if count == bytes.count, try !connection.line(atMost: 1).isEmpty {
                throw .malformed(address.host, reason: "a chunk that is longer than its size")
            }
            return bytes
        case .untilClose:
            let bytes = try connection.some(atMost: .max)
            return bytes.isEmpty ? nil : bytes
        }
    }

    /// Returns the whole body.
    ///
    /// - Throws: `WebError.malformed` if the body has more than `limit` bytes.
    public func body(atMost limit: Int) throws(WebError) -> [UInt8] {
        var body: [UInt8] = []
        while let bytes = try next() {
            guard bytes.count <= limit - body.count else {
                throw .malformed(address.host, reason: "a reply of more than \(limit) bytes")
            }
            body += bytes
        }
        return body
    }

    private func received(atMost limit: Int) throws(WebError) -> ArraySlice<UInt8> {
        let bytes = try connection.some(atMost: limit)
        guard !bytes.isEmpty else { throw .closed(address.host) }
        return bytes
    }

    /// Reads the size of the next chunk. The trailer after the last chunk is not read, because the connection is not reused.
    private func beginChunk() throws(WebError) {
        let digits = try connection.line(atMost: Self.lineBytes).prefix { $0 != ";" }.trimmingCharacters(
            in: .whitespaces)
        guard let size = Int(digits, radix: 16), size >= 0, digits.first != "+" else {
            throw .malformed(address.host, reason: "a chunk without a size")
        }
        rest = size == 0 ? .bytes(0) : .chunk(size)
    }
}
