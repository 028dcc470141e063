import Basics
import Foundation

/// A Unicode normalization form (UAX #15), as in the reference, which uses the data of an old version of Unicode.
enum UnicodeForm: Sendable {
    case canonicalComposition
    case canonicalDecomposition
    case compatibilityComposition
    case compatibilityDecomposition

    func normalize(_ text: [UInt8]) -> [UInt8] {
        // ASCII text is always normalized.
        let isASCII = text.withReader { $0.endOfBytes(from: 0) { $0 < 0x80 } == text.count }
        guard !isASCII, !Cancellation.isRequested else { return text }
        return text.withReader { reader in
            var result: [UInt8] = []
            result.reserveCapacity(text.count)
            var start = 0
            var position = 0
            while position < text.count {
                let (scalar, length) = reader.scalar(at: position)
                let size = position - start
                if size >= UnicodeForm.partSize, size >= UnicodeForm.longestPart || UnicodeForm.separates(scalar) {
                    append(reader.bytes[start..<position], to: &result)
                    start = position
                    if Cancellation.isRequested { return result }
                }
                if UnicodeForm.isNewer(scalar) {
                    append(reader.bytes[start..<position], to: &result)
                    result += reader.bytes[position..<position + length]
                    start = position + length
                }
                position += length
            }
            append(reader.bytes[start..<position], to: &result)
            return result
        }
    }

    /// The approximate size in bytes of the parts in which longer texts are normalized. Parts are split at suitable characters.
    private static let partSize = 1 << 15
    /// The maximum size of a part. A longer text without a suitable character is not ordinary text, and reordering it would take
    /// more than linear time.
    private static let longestPart = 1 << 16

    /// Whether a text can be split before such a character: the character never composes with, and is never reordered across, the
    /// text before it. In every form it begins with a starter that is not the second of a pair. This is true of ASCII and of most
    /// letters of all scripts.
    static func separates(_ scalar: UInt32) -> Bool {
        if scalar < 0x80 { return true }
        // Hangul vowels and final consonants join the letter before them.
        guard scalar < 0xD7A4, !(0x1160...0x11FF).contains(scalar), !(0x3130...0x318F).contains(scalar),
            !isNewer(scalar)
        else { return false }
        switch Unicode.Scalar(scalar)?.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .otherLetter, .otherPunctuation, .spaceSeparator: return true
        default: return false
        }
    }

    private func append(_ bytes: Slice<UnsafeBufferPointer<UInt8>>, to result: inout [UInt8]) {
        guard bytes.contains(where: { $0 >= 0x80 }) else {
            result += bytes
            return
        }
        let text = String(decoding: bytes, as: UTF8.self)
        switch self {
        case .canonicalComposition: result += text.precomposedStringWithCanonicalMapping.utf8
        case .canonicalDecomposition: result += text.decomposedStringWithCanonicalMapping.utf8
        case .compatibilityComposition: result += text.precomposedStringWithCompatibilityMapping.utf8
        case .compatibilityDecomposition: result += text.decomposedStringWithCompatibilityMapping.utf8
        }
    }

    /// Whether current Unicode has a mapping, composition or combining class for a character and the reference does not. Such a
    /// character is unchanged, and nothing is reordered across it.
    private static func isNewer(_ scalar: UInt32) -> Bool {
        guard scalar >= 0x7FD, !(0x3300..<0xA7F2).contains(scalar) else { return false }
        var low = 0
        var high = newer.count
        while low < high {
            let middle = (low + high) / 2
            if newer[middle].upperBound < scalar { low = middle + 1 } else { high = middle }
        }
        return low < newer.count && newer[low].contains(scalar)
    }

    /// Found by comparing both versions for every code point.
    private static let newer: [ClosedRange<UInt32>] = [
        0x7FD...0x7FD, 0x898...0x89F, 0x8CA...0x8D3, 0x9FE...0x9FE, 0xC3C...0xC3C, 0xD3B...0xD3C, 0xEBA...0xEBA,
        0x1715...0x1715, 0x1ABF...0x1ACE, 0x1DF6...0x1DFA, 0x32FF...0x32FF, 0xA7F2...0xA7F4, 0xA82C...0xA82C,
        0xAB69...0xAB69, 0x10781...0x10785, 0x10787...0x107B0, 0x107B2...0x107BA, 0x10D24...0x10D27, 0x10EAB...0x10EAC,
        0x10EFD...0x10EFF, 0x10F46...0x10F50, 0x10F82...0x10F85, 0x11070...0x11070, 0x1133B...0x1133B,
        0x1145E...0x1145E,
        0x11839...0x1183A, 0x11935...0x11935, 0x11938...0x11938, 0x1193D...0x1193E, 0x11943...0x11943,
        0x119E0...0x119E0,
        0x11A34...0x11A34, 0x11A47...0x11A47, 0x11A99...0x11A99, 0x11D42...0x11D42, 0x11D44...0x11D45,
        0x11D97...0x11D97,
        0x11F41...0x11F42, 0x16FF0...0x16FF1, 0x1E030...0x1E06D, 0x1E08F...0x1E08F, 0x1E130...0x1E136,
        0x1E2AE...0x1E2AE,
        0x1E2EC...0x1E2EF, 0x1E4EC...0x1E4EF, 0x1F16C...0x1F16C, 0x1FBF0...0x1FBF9,
    ]
}
