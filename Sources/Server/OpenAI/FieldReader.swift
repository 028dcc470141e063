import JSON

/// Reads the members of one JSON object of a request by name and type.
///
/// `null` counts as absent. ``finish()`` passes the members that were not read to the ``ParameterPolicy``, which ignores and
/// reports them, or refuses them.
struct FieldReader {
    let policy: ParameterPolicy
    private let object: JSONObject
    /// The path of the object in the body; empty for the body itself.
    private let path: String
    /// The names that were read; only the keys count.
    private var known = JSONObject()

    init(_ value: JSONValue, at path: String = "", _ policy: ParameterPolicy) throws(APIError) {
        guard let object = value.object else {
            guard path.isEmpty else { throw .wrongType(value, at: path, expected: "an object") }
            throw .invalid(param: nil, message: "The request body must be a JSON object, not \(value.summary).")
        }
        self.object = object
        self.path = path
        self.policy = policy
    }

    /// The path of the member `name` in the body, for errors.
    func path(to name: String) -> String {
        path.isEmpty ? name : "\(path).\(name)"
    }

    /// The raw member; `nil` if absent or null.
    mutating func value(_ name: String) -> JSONValue? {
        known[name] = .null
        guard let value = object[name], !value.isNull else { return nil }
        return value
    }

    mutating func bool(_ name: String) throws(APIError) -> Bool? {
        guard let value = value(name) else { return nil }
        guard let bool = value.bool else { throw .wrongType(value, at: path(to: name), expected: "true or false") }
        return bool
    }

    mutating func string(_ name: String) throws(APIError) -> String? {
        guard let value = value(name) else { return nil }
        return try value.requireString(at: path(to: name))
    }

    /// Reads a string that must be one of `words`.
    mutating func word(_ name: String, among words: [String]) throws(APIError) -> String? {
        guard let word = try string(name) else { return nil }
        guard words.contains(where: { $0.utf8.elementsEqual(word.utf8) }) else {
            let list = words.map { "'\($0)'" }.joined(separator: ", ")
            throw .invalid(
                param: path(to: name), message: "'\(path(to: name))' must be one of \(list), not '\(word.excerpt)'.")
        }
        return word
    }

    mutating func integer(_ name: String, in range: ClosedRange<Int>) throws(APIError) -> Int? {
        guard let value = value(name) else { return nil }
        return try value.requireInteger(in: range, at: path(to: name))
    }

    /// Reads a number of tokens, or -1 for "no limit".
    mutating func tokenLimit(_ name: String, atLeast least: Int) throws(APIError) -> Int? {
        guard let value = value(name) else { return nil }
        if value.integer == -1 { return -1 }
        return try value.requireInteger(in: least...Int.max, at: path(to: name))
    }

    /// - Parameter isOpen: whether the lower bound is excluded.
    mutating func number(
        _ name: String, in range: ClosedRange<Double>, isOpen: Bool = false
    ) throws(APIError) -> Float? {
        guard let value = value(name) else { return nil }
        return try value.requireNumber(in: range, isOpen: isOpen, at: path(to: name))
    }

    mutating func array(_ name: String) throws(APIError) -> JSONArray? {
        guard let value = value(name) else { return nil }
        return try value.requireArray(at: path(to: name))
    }

    mutating func object(_ name: String) throws(APIError) -> JSONObject? {
        guard let value = value(name) else { return nil }
        guard let object = value.object else { throw .wrongType(value, at: path(to: name), expected: "an object") }
        return object
    }

    /// The reader of a member that is an object.
    mutating func reader(_ name: String) throws(APIError) -> FieldReader? {
        guard let value = value(name) else { return nil }
        return try FieldReader(value, at: path(to: name), policy)
    }

    /// Ignores a parameter, and reports it unless its value has no effect. Refuses it if the server is strict.
    mutating func ignore(_ name: String, unless harmless: [JSONValue] = []) throws(APIError) {
        guard let value = value(name), !value.isAmong(harmless) else { return }
        try policy.ignoreUnsupported(path(to: name))
    }

    /// Refuses a parameter unless it is absent or its value has no effect.
    mutating func refuse(_ name: String, unless harmless: [JSONValue] = []) throws(APIError) {
        guard let value = value(name), !value.isAmong(harmless) else { return }
        throw .unsupported(param: path(to: name))
    }

    /// Passes each member that was not read and is not null to the policy.
    func finish() throws(APIError) {
        for (name, value) in object where known[name] == nil && !value.isNull {
            try policy.ignoreUnknown(path(to: name.excerpt))
        }
    }

    /// Refuses the first member that was not read and is not null, for objects in which every member affects the output.
    func finishStrictly() throws(APIError) {
        for (name, value) in object where known[name] == nil && !value.isNull {
            throw .unrecognized(param: path(to: name.excerpt))
        }
    }
}

extension JSONValue {
    /// The limits of a request's body: four million values, which take about 100 MB as a tape, and no repeated names in an
    /// object, because different parsers interpret these differently.
    static let requestLimits = JSONLimits(values: 1 << 22, refusesRepeatedNames: true)

    /// Parses the body of a request.
    ///
    /// - Throws: `APIError.malformedJSON`, also if ``requestLimits`` are exceeded.
    init(requestBody bytes: [UInt8]) throws(APIError) {
        // Some programs send a byte order mark, which RFC 8259, section 8.1, allows a parser to ignore.
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        let bytes = bytes.starts(with: mark) ? Array(bytes.dropFirst(mark.count)) : bytes
        do throws(JSONError) { self = try JSONValue(parsing: bytes, limits: Self.requestLimits) } catch {
            throw .malformedJSON(error)
        }
    }

    /// Whether it equals one of some values; numbers are compared by value.
    fileprivate func isAmong(_ values: [JSONValue]) -> Bool {
        values.contains { $0 == self || $0.double != nil && $0.double == double }
    }

    func requireString(at path: String) throws(APIError) -> String {
        guard let string else { throw .wrongType(self, at: path, expected: "a string") }
        return string
    }

    func requireArray(at path: String) throws(APIError) -> JSONArray {
        guard case .array(let array) = self else { throw .wrongType(self, at: path, expected: "an array") }
        return array
    }

    func requireInteger(in range: ClosedRange<Int>, at path: String) throws(APIError) -> Int {
        guard let integer else {
            if case .bigInteger = self { throw .outOfRange(self, at: path, bounds: "an integer of 64 bits") }
            throw .wrongType(self, at: path, expected: "an integer")
        }
        guard range.contains(integer) else { throw .outOfRange(self, at: path, bounds: range.bounds) }
        return integer
    }

    func requireNumber(in range: ClosedRange<Double>, isOpen: Bool = false, at path: String) throws(APIError) -> Float {
        guard let double else { throw .wrongType(self, at: path, expected: "a number") }
        guard range.contains(double), !(isOpen && double == range.lowerBound) else {
            let lowest = JSONValue.double(range.lowerBound).summary
            let highest = JSONValue.double(range.upperBound).summary
            let bounds = isOpen ? "above \(lowest) and at most \(highest)" : "from \(lowest) to \(highest)"
            throw .outOfRange(self, at: path, bounds: bounds)
        }
        // A positive number must not become zero if zero is excluded.
        return isOpen ? max(Float(double), .leastNormalMagnitude) : Float(double)
    }

    /// Returns the elements as token ids below `vocabularySize`.
    func requireTokenIDs(below vocabularySize: Int, at path: String) throws(APIError) -> [Int32] {
        var ids: [Int32] = []
        for (index, element) in try requireArray(at: path).enumerated() {
            guard let id = element.integer, 0..<vocabularySize ~= id else {
                throw .outOfRange(
                    element, at: "\(path)[\(index)]", bounds: "a token id from 0 to \(vocabularySize - 1)")
            }
            ids.append(Int32(id))
        }
        return ids
    }

    /// A short description of the value for an error message.
    var summary: String {
        switch self {
        case .null: "null"
        case .bool(let value): "\(value)"
        case .integer(let value): "\(value)"
        case .bigInteger(let digits): digits.excerpt
        case .double(let value): Int(exactly: value).map { "\($0)" } ?? "\(value)"
        case .string(let value): "'\(value.excerpt)'"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

extension ClosedRange<Int> {
    fileprivate var bounds: String {
        upperBound == .max ? "at least \(lowerBound)" : "from \(lowerBound) to \(upperBound)"
    }
}

extension APIError {
    static func wrongType(_ value: JSONValue, at path: String, expected: String) -> APIError {
        .invalid(param: path, message: "'\(path)' must be \(expected), not \(value.summary).")
    }

    static func outOfRange(_ value: JSONValue, at path: String, bounds: String) -> APIError {
        .invalid(param: path, message: "'\(path)' must be \(bounds), not \(value.summary).")
    }
}
