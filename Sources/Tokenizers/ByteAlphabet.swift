/// The printable characters that represent bytes in byte-level vocabularies. Printable Latin-1 characters represent themselves;
/// the other bytes are represented by U+0100 and up, in order.
enum ByteAlphabet {
    static let characters: [Unicode.Scalar] = {
        var free: UInt16 = 0x100
        return (0...UInt8.max).map { byte in
            switch byte {
            case 33...126, 161...172, 174...255: return Unicode.Scalar(byte)
            default:
                defer { free += 1 }
                return Unicode.Scalar(free) ?? Unicode.Scalar(byte)
            }
        }
    }()

    /// The byte of each character of the alphabet, by code point. All code points are below U+0144.
    private static let bytes: [UInt8?] = {
        var bytes = [UInt8?](repeating: nil, count: 0x144)
        for (byte, character) in zip(UInt8.min...UInt8.max, characters) { bytes[Int(character.value)] = byte }
        return bytes
    }()

    /// Sets `result` to the bytes that `token`, which must be well-formed UTF-8, represents. Returns false if a character is not
    /// in the alphabet.
    static func decode(_ token: ArraySlice<UInt8>, into result: inout [UInt8]) -> Bool {
        result.removeAll(keepingCapacity: true)
        var lead = 0
        for unit in token {
            switch unit {
            case 0xC0...0xDF: lead = Int(unit & 0x1F) << 6
            case 0xE0...0xFF: return false
            default:
                let scalar = unit < 0x80 ? Int(unit) : lead | Int(unit & 0x3F)
                guard scalar < bytes.count, let byte = bytes[scalar] else { return false }
                result.append(byte)
            }
        }
        return true
    }
}
