/// A cache of the token ids of short pieces.
///
/// It is a table of fixed size in which a new piece replaces the previous piece in its slot, so its memory is bounded. It does
/// not change results.
struct PieceCache {
    /// A piece of at most ``longest`` bytes. The top byte is the length.
    struct Key: Equatable {
        fileprivate var low: UInt64
        fileprivate var high: UInt64

        static let longest = 15

        /// Returns `nil` for a piece that is empty or too long.
        init?(_ text: PieceReader) {
            let count = text.piece.count
            guard 1...Key.longest ~= count else { return nil }
            let start = text.piece.lowerBound
            low = 0
            high = UInt64(count) << 56
            if start + 16 <= text.bytes.count {
                let bytes = UnsafeRawBufferPointer(text.bytes)
                low = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: start, as: UInt64.self))
                if count <= 8 {
                    low &= .max >> UInt64(64 - 8 * count)
                } else {
                    let rest = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: start + 8, as: UInt64.self))
                    high |= rest & (.max >> UInt64(128 - 8 * count))
                }
            } else {
                for index in 0..<min(count, 8) { low |= UInt64(text.bytes[start + index]) << UInt64(8 * index) }
                for index in 8..<max(count, 8) { high |= UInt64(text.bytes[start + index]) << UInt64(8 * index - 64) }
            }
        }

        fileprivate init() {
            low = 0
            high = 0
        }

        fileprivate var hash: UInt64 {
            var mixed = (low ^ high &* 0x9E37_79B9_7F4A_7C15) &* 0xBF58_476D_1CE4_E5B9
            mixed ^= mixed >> 32
            return mixed &* 0x94D0_49BB_1331_11EB
        }
    }

    private struct Entry {
        var key = Key()
        /// Terminated by -1. A piece with more ids is not cached.
        var ids = SIMD4<Int32>(repeating: -1)
    }

    /// The table takes 1 MiB.
    private static let bits = 15
    private var entries = [Entry](repeating: Entry(), count: 1 << bits)

    /// Appends the ids of a piece. Returns false if the piece is not cached.
    func append(_ key: Key, to ids: inout [Int32]) -> Bool {
        let entry = entries[PieceCache.place(of: key)]
        guard entry.key == key else { return false }
        for index in 0..<4 {
            guard entry.ids[index] >= 0 else { break }
            ids.append(entry.ids[index])
        }
        return true
    }

    mutating func set(_ key: Key, _ ids: ArraySlice<Int32>) {
        guard ids.count <= 4 else { return }
        var entry = Entry(key: key)
        for (index, id) in ids.enumerated() { entry.ids[index] = id }
        entries[PieceCache.place(of: key)] = entry
    }

    private static func place(of key: Key) -> Int {
        Int(truncatingIfNeeded: key.hash >> UInt64(64 - bits))
    }
}
