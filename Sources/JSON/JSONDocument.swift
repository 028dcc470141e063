/// A validated JSON text, and one word for each of its values and member names, in order.
///
/// The text is not copied. Numbers and strings are read on access, so a document takes 8 bytes per value or name, and hash
/// tables of large objects, in addition to the text. This is the tape of Langdale and Lemire, "Parsing Gigabytes of JSON per
/// Second" (2019), without the numbers.
final class JSONDocument: Sendable {
    /// The text.
    let bytes: [UInt8]
    let nodes: [JSONNode]
    /// The slots of the hash tables of all objects that have one; see ``JSONNameTable``.
    let slots: [UInt32]

    init(bytes: [UInt8], tape: JSONTape) {
        self.bytes = bytes
        nodes = tape.nodes
        slots = tape.slots
    }

    /// Returns the value at a node. Arrays and objects keep a reference to the document.
    func value(at node: Int) -> JSONValue {
        switch nodes[node].kind {
        case .null: .null
        case .false: .bool(false)
        case .true: .bool(true)
        case .number: number(at: nodes[node].value)
        case .string, .escapedString, .shadowedName: .string(string(at: node))
        case .array: .array(JSONArray(JSONView(document: self, node: node)))
        case .object, .indexedObject: .object(JSONObject(JSONView(document: self, node: node)))
        case .nameTable: preconditionFailure("a table is no value")
        }
    }

    /// Returns the node after a value.
    func end(of node: Int) -> Int { nodes[node].end(at: node) }

    func string(at node: Int) -> String {
        withString(at: node) { String(decoding: $0, as: UTF8.self) }
    }

    /// Calls `body` with the UTF-8 of the string at a node, with its escapes resolved.
    func withString<Result>(at node: Int, _ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
        bytes.withUnsafeBufferPointer { nodes[node].withString(in: $0, body) }
    }

    private func number(at offset: Int) -> JSONValue {
        bytes.withUnsafeBufferPointer { bytes in
            var parser = JSONParser(bytes: bytes)
            parser.position = offset
            do { return try parser.parseNumber() } catch { preconditionFailure("a document was checked") }
        }
    }
}

extension JSONNode {
    /// Calls `body` with the UTF-8 of this string of `text`, with its escapes resolved.
    func withString<Result>(
        in text: UnsafeBufferPointer<UInt8>, _ body: (UnsafeBufferPointer<UInt8>) -> Result
    ) -> Result {
        let start = value + 1
        if kind == .string, extra < Self.mostExtra {
            return body(UnsafeBufferPointer(rebasing: text[start..<start + extra]))
        }
        var parser = JSONParser(bytes: text)
        parser.position = value
        var resolved: [UInt8] = []
        // The string was validated. Reading it fails only if ``Cancellation`` is requested, and then the result is not used.
        try? parser.appendString(to: &resolved)
        return resolved.withUnsafeBufferPointer(body)
    }
}

/// An array or an object of a document.
struct JSONView: Sendable {
    let document: JSONDocument
    let node: Int

    /// The node of the first element, or of the first member's name.
    var start: Int { node + 1 }

    /// The node after the last element or member.
    var end: Int {
        let end = document.nodes[node].value
        return isIndexed ? end - 1 : end
    }

    /// The number of elements or members.
    var count: Int { document.nodes[node].extra }

    /// Returns the node of the element or member after the one at `position`.
    func following(_ position: Int) -> Int {
        if document.nodes[node].kind == .array { return document.end(of: position) }
        return skippingShadowed(document.end(of: position + 1))
    }

    /// Returns the first member from `position` on that is not shadowed.
    func skippingShadowed(_ position: Int) -> Int {
        var position = position
        while position < end, document.nodes[position].kind == .shadowedName {
            position = document.end(of: position + 1)
        }
        return position
    }

    /// Whether it is an object whose last node is a table of its names.
    private var isIndexed: Bool { document.nodes[node].kind == .indexedObject }

    /// Returns the node of the value of the member `name`. O(1) in the number of members, O(bytes) in `name`.
    func member(named name: String) -> Int? {
        var name = name
        return name.withUTF8 { bytes in
            if isIndexed {
                let table = JSONNameTable(document.nodes[document.nodes[node].value - 1])
                return document.bytes.withUnsafeBufferPointer { text in
                    table.find(bytes, in: document.slots, document.nodes, text).map { $0 + 1 }
                }
            }
            var position = skippingShadowed(start)
            while position < end {
                if document.nodes[position].mayHave(bytes: bytes.count),
                    document.withString(at: position, { $0.hasSameBytes(as: bytes) })
                {
                    return position + 1
                }
                position = following(position)
            }
            return nil
        }
    }
}

extension UnsafeBufferPointer<UInt8> {
    /// Whether the bytes are equal. Swift strings compare by canonical equivalence, but JSON names must not ("é" is not
    /// "e\u{301}").
    @inline(__always) func hasSameBytes(as other: UnsafeBufferPointer<UInt8>) -> Bool {
        count == other.count && elementsEqual(other)
    }
}
