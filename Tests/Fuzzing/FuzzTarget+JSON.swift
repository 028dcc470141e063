import JSON

extension FuzzTarget {
    /// Parsed JSON is written and parsed again as the same value, and written again as the same bytes.
    static func parseJSON(_ bytes: [UInt8]) throws(BrokenInvariant) {
        guard let value = try? JSONValue(parsing: bytes) else { return }
        let written = value.serialized
        guard let again = try? JSONValue(parsing: written) else {
            throw BrokenInvariant(description: "what is written is not JSON")
        }
        try BrokenInvariant.check(again == value, "another value is read again")
        // Swift strings with different bytes can be equal.
        try BrokenInvariant.check(again.serialized == written, "other bytes are written again")
    }
}
