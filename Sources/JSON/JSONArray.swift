/// The elements of a JSON array. They are values that the program created, elements of a parsed text that are read on access,
/// or values that a function creates on access.
public struct JSONArray: Sendable, Hashable, Collection, ExpressibleByArrayLiteral {
    private enum Storage: Sendable {
        case elements([JSONValue])
        case view(JSONView)
        case made(count: Int, element: @Sendable (Int) -> JSONValue)
    }

    /// The position of an element. It is a separate type, because a parsed array has no random access by number.
    public struct Index: Comparable, Sendable {
        fileprivate let place: Int

        public static func < (left: Index, right: Index) -> Bool { left.place < right.place }
    }

    private let storage: Storage

    public init(_ elements: some Sequence<JSONValue>) {
        storage = .elements(Array(elements))
    }

    public init(arrayLiteral elements: JSONValue...) {
        storage = .elements(elements)
    }

    init(_ view: JSONView) {
        storage = .view(view)
    }

    /// Creates an array whose elements are created on access and take no memory.
    ///
    /// - Parameters:
    ///   - count: The number of elements, not negative.
    ///   - element: Creates the element for a number from 0 to `count` - 1. It must create the same one each time.
    public init(count: Int, element: @escaping @Sendable (Int) -> JSONValue) {
        storage = .made(count: count, element: element)
    }

    public var startIndex: Index {
        switch storage {
        case .elements, .made: Index(place: 0)
        case .view(let view): Index(place: view.start)
        }
    }

    public var endIndex: Index {
        switch storage {
        case .elements(let elements): Index(place: elements.count)
        case .made(let count, _): Index(place: count)
        case .view(let view): Index(place: view.end)
        }
    }

    public func index(after index: Index) -> Index {
        switch storage {
        case .elements, .made: Index(place: index.place + 1)
        case .view(let view): Index(place: view.following(index.place))
        }
    }

    /// The element at a position of this array.
    ///
    /// - Complexity: O(1).
    public subscript(index: Index) -> JSONValue {
        switch storage {
        case .elements(let elements): elements[index.place]
        case .made(_, let element): element(index.place)
        case .view(let view): view.document.value(at: index.place)
        }
    }

    /// The number of elements.
    ///
    /// - Complexity: O(1).
    public var count: Int {
        switch storage {
        case .elements(let elements): elements.count
        case .made(let count, _): count
        case .view(let view): view.count
        }
    }

    public static func == (left: JSONArray, right: JSONArray) -> Bool {
        left.count == right.count && left.elementsEqual(right)
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(count)
        for element in self { hasher.combine(element) }
    }
}

extension JSONValue {
    /// Returns an array of these elements.
    public static func array(_ elements: [JSONValue]) -> JSONValue { .array(JSONArray(elements)) }
}
