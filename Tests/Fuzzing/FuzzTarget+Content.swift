import HTTP

extension FuzzTarget {
    /// A compressed body is decoded the same whatever the limit is that it keeps, takes no more memory than it may, gives all of it
    /// back, and is the same when compressed anew.
    static func decodeContent(_ bytes: [UInt8]) throws(BrokenInvariant) {
        guard let first = bytes.first else { return }
        let codings = lists[Int(first) % lists.count]
        let body = Array(bytes.dropFirst())
        let large = try decoded(body, codings, limit: 1 << 18, memory: 1 << 22)
        let small = try decoded(body, codings, limit: 1_000, memory: 1 << 22)
        _ = try decoded(body, codings, limit: 1 << 18, memory: 5_000)
        if case .success(let text) = small {
            try BrokenInvariant.check(text.count <= 1_000, "more than the limit is given")
            try BrokenInvariant.check(large == small, "another limit gives other bytes")
        }
        guard case .success(let text) = large else { return }
        if codings.count == 1, text.count <= 1_000 {
            try BrokenInvariant.check(small == large, "a limit that it keeps refuses it")
        }
        guard text.count <= 0xFFFF else { return }
        try BrokenInvariant.check(
            try decoded(stored(text), [.deflate], limit: 1 << 18, memory: 1 << 22) == .success(text),
            "compressed anew it differs")
    }

    private static let lists: [[ContentCoding]] = [[.gzip], [.deflate], [.gzip, .deflate], [.gzip, .gzip], []]

    private static func decoded(
        _ body: [UInt8], _ codings: [ContentCoding], limit: Int, memory: Int
    ) throws(BrokenInvariant) -> Result<[UInt8], ContentDecodingError> {
        let budget = MemoryBudget(limit: memory)
        let result = Result { () throws(ContentDecodingError) -> [UInt8] in
            guard let charge = budget.reserve(0) else { throw .memoryExhausted }
            return try ContentDecoder(limit: limit).decode(body, codings, charge: charge).0
        }
        try BrokenInvariant.check(budget.used == 0, "\(budget.used) bytes are not given back")
        return result
    }

    /// Deflate data of one block that is not compressed (RFC 1951, 3.2.4).
    private static func stored(_ text: [UInt8]) -> [UInt8] {
        let (low, high) = (UInt8(text.count & 0xFF), UInt8(text.count >> 8))
        return [1, low, high, ~low, ~high] + text
    }
}
