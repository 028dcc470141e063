import HTTPTypes

/// The trace context of a request, from its `traceparent` field (W3C Trace Context, level 1, 3.2).
struct TraceParent: Sendable, Hashable {
    /// 32 hexadecimal digits.
    let traceID: String
    /// 16 hexadecimal digits: the caller's own span.
    let parentID: String

    /// `nil` if there is no valid field: an invalid one counts as absent.
    init?(_ fields: HTTPFields) {
        guard let name = HTTPField.Name("traceparent"), let value = fields[name] else { return nil }
        let parts = value.split(separator: "-", omittingEmptySubsequences: false)
        // Later versions may add parts; version ff is invalid.
        guard parts.count >= 4, parts[0] != "ff", parts[0] != "00" || parts.count == 4,
            zip(parts, [2, 32, 16, 2]).allSatisfy({ part, length in
                part.utf8.count == length
                    && part.utf8.allSatisfy { byte in
                        byte.isDigit || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
                    }
            }),
            parts[1].contains(where: { $0 != "0" }), parts[2].contains(where: { $0 != "0" })
        else { return nil }
        traceID = String(parts[1])
        parentID = String(parts[2])
    }
}

extension UInt8 {
    fileprivate var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }
}
