import JSON

/// Reads the members of one object of a recipe, each once; what is left is unknown.
struct RecipeReader {
    private var members: [String: JSONValue] = [:]
    private let name: String

    init(_ json: JSONValue, name: String) throws(TrainingError) {
        guard let object = json.object else { throw .recipe(field: name, reason: "must be an object") }
        for (name, value) in object { members[name] = value }
        self.name = name
    }

    func has(_ field: String) -> Bool { members[field] != nil }

    /// The member; `nil` if it is absent or null.
    mutating func take(_ field: String) -> JSONValue? {
        guard let value = members.removeValue(forKey: field), !value.isNull else { return nil }
        return value
    }

    mutating func number(_ field: String, in bounds: ClosedRange<Double>) throws(TrainingError) -> Double? {
        guard let value = take(field) else { return nil }
        guard let number = value.double, bounds.contains(number) else {
            throw invalid(field, "must be a number in \(bounds.lowerBound)...\(bounds.upperBound)")
        }
        return number
    }

    mutating func integer(_ field: String, in bounds: ClosedRange<Int>) throws(TrainingError) -> Int? {
        guard let value = take(field) else { return nil }
        guard let number = value.integer, bounds.contains(number) else {
            throw invalid(field, "must be an integer in \(bounds.lowerBound)...\(bounds.upperBound)")
        }
        return number
    }

    mutating func string(_ field: String) throws(TrainingError) -> String? {
        guard let value = take(field) else { return nil }
        guard let string = value.string else { throw invalid(field, "must be a string") }
        return string
    }

    mutating func object(_ field: String) throws(TrainingError) -> RecipeReader? {
        guard let value = take(field) else { return nil }
        return try RecipeReader(value, name: path(field))
    }

    func invalid(_ field: String, _ reason: String) -> TrainingError {
        .recipe(field: path(field), reason: reason)
    }

    /// Refuses members that were not read.
    func finish() throws(TrainingError) {
        if let field = members.keys.sorted().first { throw invalid(field, "is unknown") }
    }

    private func path(_ field: String) -> String { name.isEmpty ? field : "\(name).\(field)" }
}
