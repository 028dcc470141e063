/// Looks for what ends a plain stretch of a JSON string, eight bytes at a time.
enum JSONString {
    /// Bytes between two questions whether to stop.
    static let stretch = 1 << 16

    /// The first byte in `start..<end` that is a quote, a backslash or a control character; `end` if there is none.
    static func plainEnd(in bytes: UnsafeBufferPointer<UInt8>, from start: Int, to end: Int) -> Int {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let raw = UnsafeRawBufferPointer(bytes)
        var position = start
        while position + 8 <= end {
            let word = UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: position, as: UInt64.self))
            let quote = word ^ (ones &* 0x22)
            let backslash = word ^ (ones &* 0x5C)
            // The lowest high bit that is set is at the first byte below the one subtracted, which borrows only go up from.
            let control = (word &- (ones &* 0x20)) & ~word
            let found = (control | ((quote &- ones) & ~quote) | ((backslash &- ones) & ~backslash)) & (ones &* 0x80)
            if found != 0 { return position + found.trailingZeroBitCount / 8 }
            position += 8
        }
        while position < end, !isSpecial(bytes[position]) { position += 1 }
        return position
    }

    private static func isSpecial(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
    }
}
