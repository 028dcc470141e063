import HTTPTypes

/// The id of a request in logs, replies (`x-request-id`) and object ids: the client's own where it is harmless.
struct RequestID: Sendable, CustomStringConvertible {
    static let field = HTTPField.Name("x-request-id")

    let description: String

    /// Takes the client's id when it has 1 to 128 letters, digits, `-`, `_` or `.`, else makes one of 128 random bits.
    init(_ fields: HTTPFields) {
        if let field = Self.field, let given = fields[field], Self.isHarmless(given) {
            description = given
        } else {
            let bits = UInt64.random(in: .min ... .max)
            let moreBits = UInt64.random(in: .min ... .max)
            description = Self.hexadecimal(bits) + Self.hexadecimal(moreBits)
        }
    }

    private static func isHarmless(_ text: String) -> Bool {
        (1...128).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                    true
                default: false
                }
            }
    }

    private static func hexadecimal(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
