/// Searches for the end of a plain part of a JSON string, eight bytes at a time.
enum JSONString {
    /// The number of bytes between two checks for cancellation.
    static let stretch = 1 << 16

    /// Returns the position of the first byte in `start..<end` that is a quote, a backslash or a control character; `end` if there
    /// is none.
    static func plainEnd(in bytes: UnsafeBufferPointer<UInt8>, from start: Int, to end: Int) -> Int {
        var isASCII = true
        return plainEnd(in: bytes, from: start, to: end, &isASCII)
    }

    /// Returns the same position, and reports bytes that are not ASCII.
    ///
    /// - Parameter isASCII: set to false if a byte before the position is not ASCII.
    @inline(__always)
    static func plainEnd(
        in bytes: UnsafeBufferPointer<UInt8>, from start: Int, to end: Int, _ isASCII: inout Bool
    ) -> Int {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let raw = UnsafeRawBufferPointer(bytes)
        var position = start
        var seen: UInt64 = 0
        defer { if seen & (ones &* 0x80) != 0 { isASCII = false } }
        while position + 8 <= end {
            let word = UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: position, as: UInt64.self))
            let quote = word ^ (ones &* 0x22)
            let backslash = word ^ (ones &* 0x5C)
            // The lowest set high bit is that of the first byte below the subtracted one, because borrows only propagate
            // upward.
            let control = (word &- (ones &* 0x20)) & ~word
            let found = (control | ((quote &- ones) & ~quote) | ((backslash &- ones) & ~backslash)) & (ones &* 0x80)
            if found != 0 {
                let bits = found.trailingZeroBitCount
                seen |= word & (1 << UInt64(bits) &- 1)
                return position + bits / 8
            }
            seen |= word
            position += 8
        }
        while position < end, !isSpecial(bytes[position]) {
            seen |= UInt64(bytes[position])
            position += 1
        }
        return position
    }

    /// Returns the character for `\` followed by this byte, if these are an escape of two bytes.
    @inline(__always) static func simpleEscape(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): byte
        case UInt8(ascii: "b"): 0x08
        case UInt8(ascii: "f"): 0x0C
        case UInt8(ascii: "n"): 0x0A
        case UInt8(ascii: "r"): 0x0D
        case UInt8(ascii: "t"): 0x09
        default: nil
        }
    }

    private static func isSpecial(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
    }
}
