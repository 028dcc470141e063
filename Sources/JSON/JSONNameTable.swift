/// A hash table of an object's member names, with open addressing, over slots that all tables of a document share.
///
/// A slot is the node of a name + 1, or 0 if it is free. Hashes are seeded, so that no choice of names makes lookups quadratic.
struct JSONNameTable {
    /// The minimum number of members for a table. In objects with fewer members, names are compared one by one, unless a name has
    /// escapes.
    static let leastMembers = 16

    private let first: Int
    private let mask: Int

    /// - Parameter node: a node of kind `nameTable`.
    init(_ node: JSONNode) {
        first = node.value
        mask = 1 << node.extra - 1
    }

    /// Appends free slots for a table of `members` names, two to four times as many. Returns the node that describes the table.
    static func append(members: Int, to slots: inout [UInt32]) -> JSONNode {
        let bits = Int.bitWidth - (2 * members - 1).leadingZeroBitCount
        let node = JSONNode(.nameTable, extra: bits, value: slots.count)
        slots += [UInt32](repeating: 0, count: 1 << bits)
        return node
    }

    /// Returns the node of a name; `nil` if there is none.
    func find(
        _ name: UnsafeBufferPointer<UInt8>, in slots: [UInt32], _ nodes: [JSONNode], _ text: UnsafeBufferPointer<UInt8>
    ) -> Int? {
        let slot = slot(of: name, in: slots, nodes, text)
        return slots[slot] > 0 ? Int(slots[slot]) - 1 : nil
    }

    /// Inserts the name at `node`. Returns the node that had the same name.
    func insert(
        _ node: Int, into slots: inout [UInt32], _ nodes: [JSONNode], _ text: UnsafeBufferPointer<UInt8>
    ) -> Int? {
        nodes[node].withString(in: text) { name in
            let slot = slot(of: name, in: slots, nodes, text)
            defer { slots[slot] = UInt32(node + 1) }
            return slots[slot] > 0 ? Int(slots[slot]) - 1 : nil
        }
    }

    /// Returns the slot with a name, or the free one where it belongs.
    private func slot(
        of name: UnsafeBufferPointer<UInt8>, in slots: [UInt32], _ nodes: [JSONNode],
        _ text: UnsafeBufferPointer<UInt8>
    ) -> Int {
        var hasher = Hasher()
        hasher.combine(bytes: UnsafeRawBufferPointer(name))
        var place = hasher.finalize() & mask
        while slots[first + place] > 0 {
            let node = Int(slots[first + place]) - 1
            if nodes[node].mayHave(bytes: name.count),
                nodes[node].withString(in: text, { $0.hasSameBytes(as: name) })
            {
                break
            }
            place = (place + 1) & mask
        }
        return first + place
    }
}
