/// A JSON value (RFC 8259) that keeps member order and the difference between integers and floats.
///
/// Chat templates print what the request contains, so `1` must not become `1.0`, and members must keep their order. Arrays and
/// objects of a parsed text are views of it. ``detached`` copies a value out of its text.
public enum JSONValue: Sendable, Hashable {
    case null
    case bool(Bool)
    /// A number written without fraction or exponent that fits 64 bits.
    case integer(Int)
    /// A number written without fraction or exponent that does not fit: its digits, with a `-` if it is negative.
    case bigInteger(String)
    /// A number written with a fraction or an exponent.
    case double(Double)
    case string(String)
    case array(JSONArray)
    case object(JSONObject)
}

extension JSONValue {
    /// Creates a number from the shortest decimal that identifies the float32: 0.3, not 0.30000001192092896.
    public static func float(_ value: Float) -> JSONValue { .double(Double("\(value)") ?? Double(value)) }

    /// The member `name` of an object; `nil` for other values and absent members.
    public subscript(name: String) -> JSONValue? {
        if case .object(let object) = self { object[name] } else { nil }
    }

    /// The element at `index` of an array; `nil` for other values and past the end. O(index) for a parsed array.
    public subscript(index: Int) -> JSONValue? {
        if case .array(let elements) = self, index >= 0 { elements.dropFirst(index).first } else { nil }
    }

    public var bool: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    /// The value as an integer. A float without fraction (`1.0`) counts, because many clients write integers this way.
    public var integer: Int? {
        switch self {
        case .integer(let value): value
        case .double(let value): Int(exactly: value)
        default: nil
        }
    }

    /// The value as a double, for any kind of number.
    public var double: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .bigInteger(let digits): Double(digits)
        case .double(let value): value
        default: nil
        }
    }

    public var string: String? {
        if case .string(let value) = self { value } else { nil }
    }

    /// The elements of an array, copied; use `case array` for arrays that may be large.
    ///
    /// - Complexity: O(elements).
    public var array: [JSONValue]? {
        if case .array(let elements) = self { Array(elements) } else { nil }
    }

    public var object: JSONObject? {
        if case .object(let value) = self { value } else { nil }
    }

    public var isNull: Bool { self == .null }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByNilLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int) { self = .integer(value) }
    public init(floatLiteral value: Double) { self = .double(value) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(nilLiteral: ()) { self = .null }
    public init(arrayLiteral elements: JSONValue...) { self = .array(JSONArray(elements)) }
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        var object = JSONObject()
        for (name, value) in elements { object[name] = value }
        self = .object(object)
    }
}
