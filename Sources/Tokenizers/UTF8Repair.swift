/// Converts a stream of bytes to well-formed UTF-8. Complete characters are returned at once, and U+FFFD replaces invalid parts.
///
/// One U+FFFD replaces each maximal part that could have begun a character (Unicode 16.0, section 3.9). At most three bytes are
/// held back.
public struct UTF8Repair: Sendable {
    private var pending: [UInt8] = []

    public init() {}

    /// Returns the characters that `bytes` completes: well-formed UTF-8 in which U+FFFD replaces invalid parts.
    public mutating func append(_ bytes: some Collection<UInt8>) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count + pending.count)
        for byte in bytes { append(byte, to: &output) }
        return output
    }

    /// Returns the rest at the end of the stream: one U+FFFD for an incomplete character, otherwise nothing.
    public mutating func flush() -> [UInt8] {
        defer { pending.removeAll(keepingCapacity: true) }
        return pending.isEmpty ? [] : UTF8Repair.replacement
    }

    private mutating func append(_ byte: UInt8, to output: inout [UInt8]) {
        if let first = pending.first {
            if UTF8Repair.continuation(after: first, at: pending.count).contains(byte) {
                pending.append(byte)
                if pending.count == UTF8Repair.length(of: first) {
                    output += pending
                    pending.removeAll(keepingCapacity: true)
                }
                return
            }
            output += UTF8Repair.replacement
            pending.removeAll(keepingCapacity: true)
        }
        switch UTF8Repair.length(of: byte) {
        case 1: output.append(byte)
        case 0: output += UTF8Repair.replacement
        default: pending.append(byte)
        }
    }

    /// U+FFFD.
    static let replacement: [UInt8] = [0xEF, 0xBF, 0xBD]

    /// Returns the length of the character that begins with `first`, or 0 if no character does.
    private static func length(of first: UInt8) -> Int {
        switch first {
        case 0..<0x80: 1
        case 0xC2...0xDF: 2
        case 0xE0...0xEF: 3
        case 0xF0...0xF4: 4
        default: 0
        }
    }

    /// Returns the allowed bytes at `index` of a character (table 3-7). The range of the second byte excludes overlong forms,
    /// surrogates and code points above U+10FFFF.
    private static func continuation(after first: UInt8, at index: Int) -> ClosedRange<UInt8> {
        guard index == 1 else { return 0x80...0xBF }
        switch first {
        case 0xE0: return 0xA0...0xBF
        case 0xED: return 0x80...0x9F
        case 0xF0: return 0x90...0xBF
        case 0xF4: return 0x80...0x8F
        default: return 0x80...0xBF
        }
    }
}
