import OrderedCollections

/// A JSON object that keeps the order of its members and compares names byte by byte.
///
/// A repeated name keeps its first place and its last value, as most parsers do.
public struct JSONObject: Sendable, Hashable, Sequence, ExpressibleByDictionaryLiteral {
    /// Swift strings compare by canonical equivalence; JSON names must not ("é" is not "e\u{301}").
    private struct Name: Hashable, Sendable {
        let text: String

        static func == (left: Name, right: Name) -> Bool {
            left.text.utf8.elementsEqual(right.text.utf8)
        }

        func hash(into hasher: inout Hasher) {
            var text = text
            text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        }
    }

    private var members: OrderedDictionary<Name, JSONValue>

    public init() {
        members = [:]
    }

    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        members = [:]
        for (name, value) in elements { self[name] = value }
    }

    /// The value of the member `name`; setting `nil` removes it.
    public subscript(name: String) -> JSONValue? {
        get { members[Name(text: name)] }
        set { members[Name(text: name)] = newValue }
    }

    public var count: Int { members.count }
    public var isEmpty: Bool { members.isEmpty }

    /// Member names in order.
    public var names: some Sequence<String> { members.keys.lazy.map(\.text) }

    public func makeIterator() -> AnyIterator<(name: String, value: JSONValue)> {
        var iterator = members.makeIterator()
        return AnyIterator { iterator.next().map { (name: $0.key.text, value: $0.value) } }
    }
}
