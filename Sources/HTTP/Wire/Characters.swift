// The character classes of RFC 9110, 5.6 and RFC 3986, 2.

extension UInt8 {
    static let carriageReturn: UInt8 = 0x0D
    static let lineFeed: UInt8 = 0x0A
    static let tab: UInt8 = 0x09
    static let space: UInt8 = 0x20

    var isSpaceOrTab: Bool { self == .space || self == .tab }

    var isDigit: Bool { self >= UInt8(ascii: "0") && self <= UInt8(ascii: "9") }

    var isAlphanumeric: Bool {
        let lowered = self | 0x20
        return isDigit || (lowered >= UInt8(ascii: "a") && lowered <= UInt8(ascii: "z"))
    }

    /// tchar (RFC 9110, 5.6.2).
    var isToken: Bool {
        if isAlphanumeric { return true }
        return switch self {
        case UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"), UInt8(ascii: "&"),
            UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "^"), UInt8(ascii: "_"), UInt8(ascii: "`"), UInt8(ascii: "|"), UInt8(ascii: "~"):
            true
        default: false
        }
    }

    /// A byte of a path and query. Includes, in addition to RFC 3986, the visible ASCII characters that browsers do not escape;
    /// never a fragment, white space or a byte above ASCII.
    var isTarget: Bool { self > .space && self < 0x7F && self != UInt8(ascii: "#") }

    /// A byte of uri-host outside brackets: unreserved, pct-encoded, sub-delims (RFC 3986, 3.2.2).
    var isHostName: Bool {
        if isAlphanumeric { return true }
        return switch self {
        case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: "%"),
            UInt8(ascii: "!"), UInt8(ascii: "$"), UInt8(ascii: "&"), UInt8(ascii: "'"), UInt8(ascii: "("),
            UInt8(ascii: ")"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: ","), UInt8(ascii: ";"),
            UInt8(ascii: "="):
            true
        default: false
        }
    }

    /// The value of a hexadecimal digit.
    var hexadecimalValue: Int? {
        if isDigit { return Int(self - UInt8(ascii: "0")) }
        let lowered = self | 0x20
        return lowered >= UInt8(ascii: "a") && lowered <= UInt8(ascii: "f")
            ? Int(lowered - UInt8(ascii: "a")) + 10 : nil
    }
}

extension ArraySlice<UInt8> {
    /// The bytes without the surrounding optional white space (RFC 9110, 5.6.3).
    var trimmed: ArraySlice<UInt8> {
        var slice = self
        while let first = slice.first, first.isSpaceOrTab { slice.removeFirst() }
        while let last = slice.last, last.isSpaceOrTab { slice.removeLast() }
        return slice
    }

    /// Whether the bytes equal `lowercased`, which is lower-case ASCII, ignoring case.
    func isEqualIgnoringCase(_ lowercased: StaticString) -> Bool {
        guard count == lowercased.utf8CodeUnitCount else { return false }
        return lowercased.withUTF8Buffer { expected in
            zip(self, expected).allSatisfy { ($0 >= 0x41 && $0 <= 0x5A ? $0 | 0x20 : $0) == $1 }
        }
    }
}
