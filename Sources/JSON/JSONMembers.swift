/// The members of an object that the program creates, in one array. Up to 15 members are searched linearly. More members get a
/// hash table, whose hashes are seeded, so that no choice of names makes lookups quadratic.
struct JSONMembers: Sendable, Sequence {
    fileprivate struct Member {
        let name: String
        var value: JSONValue
    }

    /// Objects with fewer members have no hash table.
    private static let indexedCount = 16

    private var members: [Member] = []
    /// The hash table, with open addressing. A slot is the index of a member + 1, or 0 if it is free. The number of slots is 0, or
    /// a power of two and at least twice the number of members.
    private var slots: [UInt32] = []

    subscript(name: String) -> JSONValue? { place(of: name).map { members[$0].value } }

    var count: Int { members.count }

    func makeIterator() -> Iterator { Iterator(members: members.makeIterator()) }

    struct Iterator: IteratorProtocol {
        fileprivate var members: IndexingIterator<[Member]>

        mutating func next() -> (name: String, value: JSONValue)? { members.next().map { ($0.name, $0.value) } }
    }

    mutating func remove(_ name: String) {
        guard let place = place(of: name) else { return }
        members.remove(at: place)
        makeSlots()
    }

    /// Sets the member `name`, which keeps its position if it exists.
    mutating func update(_ name: String, _ value: JSONValue) {
        if let place = place(of: name) {
            members[place].value = value
            return
        }
        members.append(Member(name: name, value: value))
        if slots.isEmpty || members.count * 2 > slots.count {
            makeSlots()
        } else {
            occupy(members.count - 1)
        }
    }

    private func place(of name: String) -> Int? {
        guard !slots.isEmpty else { return members.firstIndex { $0.name.hasSameBytes(as: name) } }
        var slot = name.byteHash & (slots.count - 1)
        while slots[slot] > 0 {
            let place = Int(slots[slot]) - 1
            if members[place].name.hasSameBytes(as: name) { return place }
            slot = (slot + 1) & (slots.count - 1)
        }
        return nil
    }

    private mutating func makeSlots() {
        guard members.count >= Self.indexedCount else {
            slots = []
            return
        }
        var count = 4 * Self.indexedCount
        while count < 3 * members.count { count *= 2 }
        slots = [UInt32](repeating: 0, count: count)
        for place in members.indices { occupy(place) }
    }

    private mutating func occupy(_ place: Int) {
        var slot = members[place].name.byteHash & (slots.count - 1)
        while slots[slot] > 0 { slot = (slot + 1) & (slots.count - 1) }
        slots[slot] = UInt32(place + 1)
    }
}

/// Comparison and hashing by bytes. Swift strings compare by canonical equivalence, but JSON names must not ("é" is not
/// "e\u{301}").
extension String {
    /// Whether the bytes are equal. Strings that differ for `==` never have the same bytes, so this fast comparison comes first.
    func hasSameBytes(as other: String) -> Bool {
        utf8.count == other.utf8.count && self == other && utf8.elementsEqual(other.utf8)
    }

    func hashBytes(into hasher: inout Hasher) {
        var text = self
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }

    fileprivate var byteHash: Int {
        var hasher = Hasher()
        hashBytes(into: &hasher)
        return hasher.finalize()
    }
}
