import JSON

/// Reads each member of a JSON object in a recipe once. Members that remain are unknown.
struct RecipeReader {
    private var members: [String: JSONValue] = [:]
    private let name: String

    init(_ json: JSONValue, name: String) throws(TrainingError) {
        guard let object = json.object else { throw .recipe(field: name, reason: "must be an object") }
        for (name, value) in object { members[name] = value }
        self.name = name
    }

    func has(_ field: String) -> Bool { members[field] != nil }

    /// Throws an error if a member is null, which would stand for its default.
    func refuseNull(except names: Set<String> = []) throws(TrainingError) {
        let field = members.filter { $0.value.isNull && !names.contains($0.key) }.keys.min()
        if let field { throw invalid(field, "must not be null") }
    }

    /// Removes and returns a member, or `nil` if it is absent or null.
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

    /// Returns readers for the elements of an array of objects.
    mutating func objects(_ field: String, atMost limit: Int) throws(TrainingError) -> [RecipeReader]? {
        guard let value = take(field) else { return nil }
        guard let array = value.array, !array.isEmpty, array.count <= limit else {
            throw invalid(field, "must be an array of 1...\(limit) objects")
        }
        var readers: [RecipeReader] = []
        for (index, element) in array.enumerated() {
            readers.append(try RecipeReader(element, name: "\(path(field))[\(index)]"))
        }
        return readers
    }

    /// Returns the enumeration case whose raw value is the member.
    mutating func choice<Choice: RawRepresentable & CaseIterable>(
        _ field: String, of type: Choice.Type
    ) throws(TrainingError) -> Choice? where Choice.RawValue == String {
        guard let name = try string(field) else { return nil }
        guard let choice = Choice(rawValue: name) else {
            throw invalid(field, "must be one of \(Choice.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return choice
    }

    func invalid(_ field: String, _ reason: String) -> TrainingError {
        .recipe(field: path(field), reason: reason)
    }

    /// Throws an error if a member was not read.
    func finish() throws(TrainingError) {
        if let field = members.keys.sorted().first { throw invalid(field, "is unknown") }
    }

    func path(_ field: String) -> String { name.isEmpty ? field : "\(name).\(field)" }
}
