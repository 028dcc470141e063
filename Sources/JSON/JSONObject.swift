/// A JSON object that keeps the order of its members and compares names byte by byte.
///
/// The members were created by the program, or they belong to a parsed text and are read on access. Changing a parsed object
/// first copies its members.
public struct JSONObject: Sendable, Hashable, Sequence, ExpressibleByDictionaryLiteral {
    private enum Storage: Sendable {
        case members(JSONMembers)
        case view(JSONView)
    }

    private var storage = Storage.members(JSONMembers())

    public init() {}

    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        for (name, value) in elements { self[name] = value }
    }

    init(_ view: JSONView) {
        storage = .view(view)
    }

    /// The value of the member `name`; setting `nil` removes it. A new member comes last.
    ///
    /// - Complexity: O(1) in the number of members; O(`count`) to remove one, and to set the first one of a parsed object.
    public subscript(name: String) -> JSONValue? {
        get {
            switch storage {
            case .members(let members): members[name]
            case .view(let view): view.member(named: name).map(view.document.value)
            }
        }
        set {
            // The members must not be shared while they change, because a change would copy them.
            var members = ownMembers
            storage = .members(JSONMembers())
            if let newValue { members.update(name, newValue) } else { members.remove(name) }
            storage = .members(members)
        }
    }

    public var count: Int {
        switch storage {
        case .members(let members): members.count
        case .view(let view): view.count
        }
    }

    public var isEmpty: Bool { count == 0 }

    /// The member names in order.
    public var names: some Sequence<String> { lazy.map(\.name) }

    public func makeIterator() -> Iterator {
        switch storage {
        case .members(let members): Iterator(place: .members(members.makeIterator()))
        case .view(let view): Iterator(place: .view(view, view.skippingShadowed(view.start)))
        }
    }

    /// An iterator over the members in order.
    public struct Iterator: IteratorProtocol {
        fileprivate enum Place {
            case members(JSONMembers.Iterator)
            case view(JSONView, Int)
        }

        fileprivate var place: Place

        public mutating func next() -> (name: String, value: JSONValue)? {
            switch place {
            case .members(var members):
                defer { place = .members(members) }
                return members.next()
            case .view(let view, let name):
                guard name < view.end else { return nil }
                place = .view(view, view.following(name))
                return (view.document.string(at: name), view.document.value(at: name + 1))
            }
        }
    }

    public static func == (left: JSONObject, right: JSONObject) -> Bool {
        left.count == right.count
            && left.elementsEqual(right) { $0.name.hasSameBytes(as: $1.name) && $0.value == $1.value }
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(count)
        for (name, value) in self {
            name.hashBytes(into: &hasher)
            hasher.combine(value)
        }
    }

    private var ownMembers: JSONMembers {
        switch storage {
        case .members(let members): return members
        case .view:
            var members = JSONMembers()
            for (name, value) in self { members.update(name, value) }
            return members
        }
    }
}
