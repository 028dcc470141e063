import Basics

/// The nodes of a ``JSONDocument`` while it is parsed.
///
/// The first node of an open array or object holds its kind, the number of elements that have begun (`extra`), and the first
/// node + 1 of the enclosing array or object (`value`, 0 for none).
struct JSONTape {
    /// The number of members of one object between two checks for cancellation.
    static let pollInterval = 4096

    private(set) var nodes: [JSONNode] = []
    private(set) var slots: [UInt32] = []
    /// The first node of the innermost open array or object; negative for none.
    private var innermost = -1
    /// The number of elements or members of the innermost container that have begun.
    var count = 0
    /// Whether the innermost container is an object.
    private(set) var isObject = false
    /// The names of the object that ends.
    private var names: [Int] = []

    @inline(__always) mutating func append(_ kind: JSONNode.Kind, extra: Int = 0, value: Int) {
        nodes.append(JSONNode(kind, extra: extra, value: value))
    }

    /// Appends an empty array or object.
    @inline(__always) mutating func appendEmpty(_ kind: JSONNode.Kind) {
        append(kind, value: nodes.count + 1)
    }

    /// Begins an array or object with its first element. It becomes the innermost one.
    @inline(__always) mutating func begin(isObject: Bool) {
        if innermost >= 0 {
            nodes[innermost] = JSONNode(self.isObject ? .object : .array, extra: count, value: nodes[innermost].value)
        }
        append(isObject ? .object : .array, value: innermost + 1)
        (innermost, self.isObject, count) = (nodes.count - 1, isObject, 1)
    }

    /// Ends the innermost array or object. Of two members with the same name, the first one is shadowed. If ``Cancellation`` is
    /// requested, not all names of a large object are checked.
    ///
    /// - Returns: the node of the first name that an earlier member has, too.
    @inline(__always) mutating func end(of text: UnsafeBufferPointer<UInt8>) -> Int? {
        let node = innermost
        let around = nodes[node].value - 1
        var repeated: Int?
        if isObject, count > 1 {
            repeated = endMembers(node, text)
        } else {
            nodes[node] = JSONNode(isObject ? .object : .array, extra: count, value: nodes.count)
        }
        innermost = around
        if around >= 0 {
            isObject = nodes[around].kind == .object
            count = nodes[around].extra
        }
        return repeated
    }

    private mutating func endMembers(_ node: Int, _ text: UnsafeBufferPointer<UInt8>) -> Int? {
        // A name with escapes is resolved once for its hash, not for each comparison.
        let isIndexed = count >= JSONNameTable.leastMembers || hasEscapedName(node)
        let table = isIndexed ? JSONNameTable.append(members: count, to: &slots) : nil
        var repeated: Int?
        names.removeAll(keepingCapacity: true)
        var name = node + 1
        var seen = 0
        while name < nodes.count {
            seen += 1
            if seen % Self.pollInterval == 0, Cancellation.isRequested { break }
            if let earlier = table.map({ indexed(name, $0, text) }) ?? compared(name, text) {
                nodes[earlier] = JSONNode(.shadowedName, value: nodes[earlier].value)
                repeated = repeated ?? name
                count -= 1
            }
            name = nodes[name + 1].end(at: name + 1)
        }
        if let table { nodes.append(table) }
        nodes[node] = JSONNode(isIndexed ? .indexedObject : .object, extra: count, value: nodes.count)
        return repeated
    }

    private func hasEscapedName(_ node: Int) -> Bool {
        var name = node + 1
        while name < nodes.count {
            if nodes[name].kind != .string || nodes[name].extra == JSONNode.mostExtra { return true }
            name = nodes[name + 1].end(at: name + 1)
        }
        return false
    }

    private mutating func indexed(_ name: Int, _ table: JSONNode, _ text: UnsafeBufferPointer<UInt8>) -> Int? {
        JSONNameTable(table).insert(name, into: &slots, nodes, text)
    }

    private mutating func compared(_ name: Int, _ text: UnsafeBufferPointer<UInt8>) -> Int? {
        let earlier = names.last { nodes[$0].hasSameString(as: nodes[name], in: text) }
        names.append(name)
        return earlier
    }
}

extension JSONNode {
    /// Whether two strings of `text` without escapes are the same.
    fileprivate func hasSameString(as other: JSONNode, in text: UnsafeBufferPointer<UInt8>) -> Bool {
        guard extra == other.extra else { return false }
        return withString(in: text) { left in other.withString(in: text) { left.hasSameBytes(as: $0) } }
    }
}
