/// Byte strings by token id, in one block of memory.
struct TokenList: Sendable {
    private var bytes: [UInt8] = []
    private var places: [Place] = []

    private struct Place {
        var start: UInt32
        /// Negative if no token has this id.
        var count: Int32
    }

    /// The highest id + 1.
    var count: Int { places.count }

    func contains(_ id: Int32) -> Bool {
        places.indices.contains(Int(id)) && places[Int(id)].count >= 0
    }

    /// The string of `id`, or `nil` if no token has this id.
    subscript(id: Int32) -> ArraySlice<UInt8>? {
        guard contains(id) else { return nil }
        let place = places[Int(id)]
        return bytes[Int(place.start)..<Int(place.start) + Int(place.count)]
    }

    mutating func set(_ content: some Collection<UInt8>, id: Int32) {
        while places.count <= Int(id) { places.append(Place(start: 0, count: -1)) }
        // Files are much smaller than 4 GiB, the limit of an offset.
        places[Int(id)] = Place(start: UInt32(bytes.count), count: Int32(content.count))
        bytes += content
    }

    mutating func reserveCapacity(tokens: Int, bytes: Int) {
        places.reserveCapacity(tokens)
        self.bytes.reserveCapacity(bytes)
    }

    fileprivate func equals(at start: UInt32, _ content: UnsafeBufferPointer<UInt8>) -> Bool {
        let start = Int(start)
        for index in content.indices where bytes[start + index] != content[index] { return false }
        return true
    }

    fileprivate func start(of id: Int32) -> UInt32 { places[Int(id)].start }
}

/// Token ids by byte string, in a hash table with open addressing that looks up parts of a text without copying them.
struct TokenTable: Sendable {
    private(set) var tokens = TokenList()
    /// At most half of the slots are used.
    private var slots = [Slot](repeating: Slot(), count: 16)
    private var used = 0

    /// All the data that a lookup needs except the token's bytes, so that it accesses memory only twice.
    private struct Slot {
        var hash: UInt32 = 0
        /// Negative in a free slot.
        var id: Int32 = -1
        var start: UInt32 = 0
        var count: UInt32 = 0
    }

    /// Returns the id of the token `content`, or `nil` if there is none.
    func id(of content: UnsafeBufferPointer<UInt8>) -> Int32? {
        let id = slots[slot(of: content, TokenTable.hash(content))].id
        return id < 0 ? nil : id
    }

    func id(of content: String) -> Int32? {
        var content = content
        return content.withUTF8 { id(of: $0) }
    }

    /// Adds a token. Returns false if the table already has this content or id.
    mutating func insert(_ content: UnsafeBufferPointer<UInt8>, id: Int32) -> Bool {
        if (used + 1) * 2 > slots.count { grow(to: slots.count * 2) }
        let hash = TokenTable.hash(content)
        let slot = slot(of: content, hash)
        guard slots[slot].id < 0, !tokens.contains(id) else { return false }
        tokens.set(content, id: id)
        slots[slot] = Slot(hash: hash, id: id, start: tokens.start(of: id), count: UInt32(content.count))
        used += 1
        return true
    }

    mutating func insert(_ content: [UInt8], id: Int32) -> Bool {
        content.withUnsafeBufferPointer { insert($0, id: id) }
    }

    /// Reserves capacity for `count` tokens.
    mutating func reserveCapacity(_ count: Int) {
        var size = slots.count
        while count * 2 > size { size *= 2 }
        if size > slots.count { grow(to: size) }
        tokens.reserveCapacity(tokens: count, bytes: count * 8)
    }

    private mutating func grow(to size: Int) {
        let entries = slots.filter { $0.id >= 0 }
        slots = Array(repeating: Slot(), count: size)
        for entry in entries {
            var slot = Int(entry.hash) & (slots.count - 1)
            while slots[slot].id >= 0 { slot = (slot + 1) & (slots.count - 1) }
            slots[slot] = entry
        }
    }

    /// Returns the slot of `content`, or the free slot for it.
    private func slot(of content: UnsafeBufferPointer<UInt8>, _ hash: UInt32) -> Int {
        var slot = Int(hash) & (slots.count - 1)
        while slots[slot].id >= 0 {
            let known = slots[slot]
            if known.hash == hash, Int(known.count) == content.count, tokens.equals(at: known.start, content) { break }
            slot = (slot + 1) & (slots.count - 1)
        }
        return slot
    }

    /// FNV-1a, folded to 32 bits. The table contains only tokens of the file, so clients cannot cause collisions.
    private static func hash(_ content: UnsafeBufferPointer<UInt8>) -> UInt32 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in content { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return UInt32(truncatingIfNeeded: hash ^ hash >> 32)
    }
}
