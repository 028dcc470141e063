/// A JSON object that keeps the order of its members and compares names byte by byte.
///
/// Members stand in one array. Up to 15 of them are searched one by one; more get a hash table of their places, whose hashes
/// are seeded, so that no choice of names makes lookups quadratic.
public struct JSONObject: Sendable, Hashable, Sequence, ExpressibleByDictionaryLiteral {
    fileprivate struct Member: Hashable, Sendable {
        let name: String
        var value: JSONValue

        static func == (left: Member, right: Member) -> Bool {
            left.name.hasSameBytes(as: right.name) && left.value == right.value
        }

        func hash(into hasher: inout Hasher) {
            name.hashBytes(into: &hasher)
            hasher.combine(value)
        }
    }

    /// Fewer members have no hash table.
    private static let indexedCount = 16

    private var members: [Member] = []
    /// Open addressing: place of a member + 1, 0 where free. Empty, or a power of two and twice the members or more.
    private var slots: [UInt32] = []

    public init() {}

    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        for (name, value) in elements { self[name] = value }
    }

    /// The value of the member `name`; setting `nil` removes it. A new member comes last.
    ///
    /// - Complexity: O(1) in the number of members; O(`count`) to remove one.
    public subscript(name: String) -> JSONValue? {
        get { place(of: name).map { members[$0].value } }
        set {
            if let newValue {
                update(name, newValue)
            } else if let place = place(of: name) {
                members.remove(at: place)
                makeSlots()
            }
        }
    }

    public var count: Int { members.count }
    public var isEmpty: Bool { members.isEmpty }

    /// Member names in order.
    public var names: some Sequence<String> { members.lazy.map(\.name) }

    public func makeIterator() -> Iterator { Iterator(members: members.makeIterator()) }

    /// The members in order.
    public struct Iterator: IteratorProtocol {
        fileprivate var members: IndexingIterator<[Member]>

        public mutating func next() -> (name: String, value: JSONValue)? {
            members.next().map { ($0.name, $0.value) }
        }
    }

    public static func == (left: JSONObject, right: JSONObject) -> Bool { left.members == right.members }

    public func hash(into hasher: inout Hasher) { hasher.combine(members) }

    /// Sets the member `name`, which keeps its place if it is there already.
    ///
    /// - Returns: whether it is new.
    @discardableResult mutating func update(_ name: String, _ value: JSONValue) -> Bool {
        if let place = place(of: name) {
            members[place].value = value
            return false
        }
        members.append(Member(name: name, value: value))
        if slots.isEmpty || members.count * 2 > slots.count {
            makeSlots()
        } else {
            occupy(members.count - 1)
        }
        return true
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

/// Swift strings compare by canonical equivalence; JSON names must not ("é" is not "e\u{301}").
extension String {
    /// Different strings never have the same bytes, so the fast comparison of the standard library comes first.
    fileprivate func hasSameBytes(as other: String) -> Bool {
        utf8.count == other.utf8.count && self == other && utf8.elementsEqual(other.utf8)
    }

    fileprivate func hashBytes(into hasher: inout Hasher) {
        var text = self
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }

    fileprivate var byteHash: Int {
        var hasher = Hasher()
        hashBytes(into: &hasher)
        return hasher.finalize()
    }
}
