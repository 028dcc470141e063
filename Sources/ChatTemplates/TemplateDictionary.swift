import JSON
import OrderedCollections

/// A dictionary in insertion order, whose keys are compared as in Python: `1`, `1.0` and `true` are the same key.
struct TemplateDictionary {
    private var members: OrderedDictionary<Key, TemplateValue> = [:]
    private(set) var depth = 1
    private(set) var weight = 1

    struct Key: Hashable {
        let value: TemplateValue

        static func == (left: Key, right: Key) -> Bool { left.value.equals(right.value) }

        func hash(into hasher: inout Hasher) { value.hash(into: &hasher) }
    }

    init() {}

    /// - Parameter isTrusted: returns whether the member with a name is trusted.
    init(_ object: JSONObject, isTrusted: (String) -> Bool) {
        for (name, value) in object {
            let isTrusted = isTrusted(name)
            set(
                .string(TemplateString(name, origin: TemplateOrigin(isTrusted: isTrusted))),
                TemplateValue(value, isTrusted: isTrusted))
        }
    }

    var count: Int { members.count }
    var isEmpty: Bool { members.isEmpty }
    var keys: [TemplateValue] { members.keys.map(\.value) }
    var values: [TemplateValue] { Array(members.values) }
    var pairs: [(key: TemplateValue, value: TemplateValue)] { members.map { ($0.key.value, $0.value) } }

    subscript(key: TemplateValue) -> TemplateValue? { members[Key(value: key)] }
    subscript(name: String) -> TemplateValue? { self[.string(trusted: name)] }

    /// Sets the value of `key`, which must be hashable; see ``TemplateValue/isHashable``.
    mutating func set(_ key: TemplateValue, _ value: TemplateValue) {
        members[Key(value: key)] = value
        depth = max(depth, value.depth + 1, key.depth + 1)
        weight = weight.addingSaturated(value.weight).addingSaturated(key.weight)
    }
}

extension TemplateValue {
    /// Whether the value can be a key.
    var isHashable: Bool {
        switch self {
        case .list, .dictionary, .iterable(.keys, _), .iterable(.items, _): false
        case .tuple(let elements): elements.values.allSatisfy(\.isHashable)
        default: true
        }
    }

    /// Hashes the value so that equal values have equal hashes, for all types of numbers.
    fileprivate func hash(into hasher: inout Hasher) {
        switch self {
        case .bool(let value): hasher.combine(value ? 1.0 : 0.0)
        case .integer(let value): hasher.combine(Double(value))
        case .bigInteger(let digits): hasher.combine(Double(digits) ?? 0)
        case .double(let value): hasher.combine(value)
        case .string(let string): hasher.combine(string)
        case .tuple(let elements):
            for value in elements.values { value.hash(into: &hasher) }
        case .object(let object): hasher.combine(ObjectIdentifier(object))
        default: break
        }
    }
}
