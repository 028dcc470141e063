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
    /// An id, or -1 for a free slot; at most half of them are taken.
    private var slots: [Int32] = Array(repeating: -1, count: 16)
    private var used = 0

    /// The id of the token `content`; `nil` if there is none.
    func id(of content: ArraySlice<UInt8>) -> Int32? {
        let id = slots[slot(of: content)]
        return id < 0 ? nil : id
    }

    func id(of content: String) -> Int32? {
        id(of: Array(content.utf8)[...])
    }

    /// Adds a token; false if the table has this content or this id already.
    mutating func insert(_ content: ArraySlice<UInt8>, id: Int32) -> Bool {
        if (used + 1) * 2 > slots.count { grow() }
        let slot = slot(of: content)
        guard slots[slot] < 0, tokens[id] == nil else { return false }
        tokens.set(content, id: id)
        slots[slot] = id
        used += 1
        return true
    }

    private mutating func grow() {
        let ids = slots.filter { $0 >= 0 }
        slots = Array(repeating: -1, count: slots.count * 2)
        for id in ids {
            guard let content = tokens[id] else { continue }
            slots[slot(of: content)] = id
        }
    }

    /// Where `content` is, or would be put.
    private func slot(of content: ArraySlice<UInt8>) -> Int {
        var slot = Int(truncatingIfNeeded: TokenTable.hash(content)) & (slots.count - 1)
        while slots[slot] >= 0, tokens[slots[slot]] != content { slot = (slot + 1) & (slots.count - 1) }
        return slot
    }

    /// FNV-1a, folded. The table holds what the file holds and never grows by a request, so nobody can crowd it.
    private static func hash(_ content: ArraySlice<UInt8>) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in content { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return hash ^ hash >> 32
    }
}
