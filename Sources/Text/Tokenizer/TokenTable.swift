/// Byte strings by token id, in one block of memory.
struct TokenList: Sendable {
    private var bytes: [UInt8] = []
    private var places: [Range<Int>?] = []

    /// Highest id + 1.
    var count: Int { places.count }

    /// The string of `id`; `nil` where no token has this id.
    subscript(id: Int32) -> ArraySlice<UInt8>? {
        guard places.indices.contains(Int(id)), let place = places[Int(id)] else { return nil }
        return bytes[place]
    }

    mutating func set(_ content: some Collection<UInt8>, id: Int32) {
        while places.count <= Int(id) { places.append(nil) }
        places[Int(id)] = bytes.count..<bytes.count + content.count
        bytes += content
    }
}

/// Token ids by byte string: a hash table with open addressing that looks up parts of a text without copying them.
struct TokenTable: Sendable {
    private(set) var tokens = TokenList()
    /// A token's hash in the upper half and its id in the lower, or ``free``; at most half of the slots are taken.
    private var slots = [UInt64](repeating: free, count: 16)
    private var used = 0

    private static let free = UInt64.max

    /// The id of the token `content`; `nil` if there is none.
    func id(of content: ArraySlice<UInt8>) -> Int32? {
        let entry = slots[slot(of: content, TokenTable.hash(content))]
        return entry == TokenTable.free ? nil : Int32(truncatingIfNeeded: entry)
    }

    func id(of content: String) -> Int32? {
        id(of: Array(content.utf8)[...])
    }

    /// Adds a token; false if the table has this content or this id already.
    mutating func insert(_ content: ArraySlice<UInt8>, id: Int32) -> Bool {
        if (used + 1) * 2 > slots.count { grow() }
        let hash = TokenTable.hash(content)
        let slot = slot(of: content, hash)
        guard slots[slot] == TokenTable.free, tokens[id] == nil else { return false }
        tokens.set(content, id: id)
        slots[slot] = UInt64(hash) << 32 | UInt64(id)
        used += 1
        return true
    }

    private mutating func grow() {
        let entries = slots.filter { $0 != TokenTable.free }
        slots = Array(repeating: TokenTable.free, count: slots.count * 2)
        for entry in entries {
            var slot = Int(entry >> 32) & (slots.count - 1)
            while slots[slot] != TokenTable.free { slot = (slot + 1) & (slots.count - 1) }
            slots[slot] = entry
        }
    }

    /// Where `content` is, or would be put.
    private func slot(of content: ArraySlice<UInt8>, _ hash: UInt32) -> Int {
        var slot = Int(hash) & (slots.count - 1)
        while slots[slot] != TokenTable.free {
            if slots[slot] >> 32 == hash, tokens[Int32(truncatingIfNeeded: slots[slot])] == content { break }
            slot = (slot + 1) & (slots.count - 1)
        }
        return slot
    }

    /// FNV-1a, folded. The table holds what the file holds and never grows by a request, so nobody can crowd it.
    private static func hash(_ content: ArraySlice<UInt8>) -> UInt32 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in content { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return UInt32(truncatingIfNeeded: hash ^ hash >> 32)
    }
}
