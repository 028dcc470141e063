/// The printable characters by which byte-level vocabularies write bytes: the printable ones of Latin-1 stand for
/// themselves, all others, in order, are U+0100 and up.
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

    private static let bytes = Dictionary(uniqueKeysWithValues: zip(characters, UInt8.min...UInt8.max))

    /// The bytes that `token` stands for; `nil` if one of its characters is not of the alphabet.
    static func decode(_ token: ArraySlice<UInt8>) -> [UInt8]? {
        var result: [UInt8] = []
        result.reserveCapacity(token.count)
        for scalar in String(decoding: token, as: UTF8.self).unicodeScalars {
            guard let byte = bytes[scalar] else { return nil }
            result.append(byte)
        }
        return result
    }
}
