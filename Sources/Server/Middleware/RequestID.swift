import HTTPTypes

/// The id of a request in logs and replies (`x-request-id`): the client's own if it is valid.
struct RequestID: Sendable, CustomStringConvertible {
    static let field = HTTPField.Name("x-request-id")

    let description: String
    /// The basis of the ids of objects in the reply, which are unique also if a client sends its id with several requests.
    let objectID: String

    /// Uses the client's id if it has 1 to 128 letters, digits, `-`, `_` or `.`, otherwise generates one.
    init(_ fields: HTTPFields, from source: inout RequestIDSource) {
        objectID = source.next()
        if let field = Self.field, let given = fields[field], Self.isHarmless(given) {
            description = given
        } else {
            description = objectID
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
}

/// Generates unique ids of 128 bits: random at the start of the process, then counted up, because reading random bits from the
/// kernel would cost as much as the rest of a small request's head.
struct RequestIDSource {
    private var state = (UInt64.random(in: .min ... .max), UInt64.random(in: .min ... .max))

    mutating func next() -> String {
        state.0 &+= 0x9E37_79B9_7F4A_7C15
        state.1 &+= 0x9E37_79B9_7F4A_7C15
        let words = (Self.mixed(state.0), Self.mixed(state.1))
        return String(unsafeUninitializedCapacity: 32) { text in
            for place in 0..<32 {
                let word = place < 16 ? words.0 : words.1
                let digit = UInt8(truncatingIfNeeded: word >> (60 - 4 * UInt64(place % 16)) & 15)
                text[place] = digit + (digit < 10 ? UInt8(ascii: "0") : UInt8(ascii: "a") - 10)
            }
            return 32
        }
    }

    /// A bijection, so that different numbers stay different (SplitMix64, Steele, Lea and Flood 2014).
    private static func mixed(_ value: UInt64) -> UInt64 {
        var value = value
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }
}
