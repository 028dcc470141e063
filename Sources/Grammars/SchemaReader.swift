import JSON

// Reads the keywords of schemas that must all hold into one shape.

extension JSONSchemaGrammar {
    /// Maximum for lengths and counts; values beyond it are not used.
    static let mostCount = 1_000_000

    mutating func shape(of conjuncts: [SchemaConjunct]) throws(GrammarError) -> SchemaShape {
        var shape = SchemaShape(path: conjuncts.first?.path ?? .root)
        for conjunct in conjuncts { try add(conjunct, to: &shape) }
        return shape
    }

    /// Adds a schema, including its `$ref` and `allOf`.
    ///
    /// - Parameter pointers: the pointers that led here.
    mutating func add(
        _ conjunct: SchemaConjunct, to shape: inout SchemaShape, _ pointers: Set<String> = []
    ) throws(GrammarError) {
        let path = conjunct.path
        try enter(path)
        defer { leave() }
        if conjunct.schema.bool == true { return }
        shape.sources.append(conjunct.schema)
        if conjunct.schema.bool == false {
            builder.noteEmpty(path.error("allows nothing"))
            shape.types = []
            return
        }
        guard let object = conjunct.schema.object else { throw path.error("must be an object or true") }
        try builder.visit(1 + object.count)
        let isNullable = object["nullable"]?.bool == true
        for (name, value) in object where SchemaKeywords.isChecked(name) {
            guard !SchemaKeywords.refused.contains(name) else {
                if isLenient { continue }
                throw path.appending(name).error("cannot be enforced")
            }
            let meant = SchemaKeywords.types(of: name)
            shape.meantTypes.formUnion(meant)
            if !["type", "enum", "const", "$ref", "allOf", "nullable"].contains(name) { shape.restrictions += 1 }
            let place = path.appending(name)
            if meant == .number { try addNumber(name, value, object, &shape, place) }
            if meant == .string { try addString(name, value, &shape, place) }
            if meant == .array { try addArray(name, value, object, &shape, path) }
            if meant == .object { try addObject(name, value, object, &shape, path) }
            switch name {
            case "type": try addTypes(value, isNullable: isNullable, &shape, place)
            case "enum", "const": try addValues(name == "const" ? [value] : value.array ?? [], &shape, place)
            case "$ref": try addReference(value, &shape, place, pointers)
            case "allOf":
                guard let schemas = value.array else { throw place.error("must be an array") }
                for (index, schema) in schemas.enumerated() {
                    try add(SchemaConjunct(schema: schema, path: path.appending(name, at: index)), to: &shape, pointers)
                }
            case "anyOf", "oneOf":
                guard let schemas = value.array, !schemas.isEmpty else {
                    throw place.error("must be an array that is not empty")
                }
                let branches = schemas.enumerated().map { index, schema in
                    SchemaConjunct(schema: schema, path: path.appending(name, at: index))
                }
                shape.choices.append(SchemaShape.Choice(branches: branches, isExact: name == "oneOf"))
            case "not": shape.exclusions.append(SchemaConjunct(schema: value, path: place))
            case "if": addCondition(value, object, &shape, path)
            default: break
            }
        }
    }

    private mutating func addTypes(
        _ value: JSONValue, isNullable: Bool, _ shape: inout SchemaShape, _ path: SchemaPath
    ) throws(GrammarError) {
        let names = value.string.map { [$0] } ?? (value.array ?? []).compactMap(\.string)
        var types: SchemaShape.Types = isNullable ? .null : []
        for name in names {
            guard let type = SchemaShape.Types.names[name] else { break }
            types.formUnion(type)
        }
        guard !names.isEmpty, names.count == value.array?.count ?? 1,
            names.allSatisfy({ SchemaShape.Types.names[$0] != nil })
        else {
            let known = "object, array, string, number, integer, boolean, null"
            throw path.error("must be one or more of \(known)")
        }
        shape.types.formIntersection(types)
        shape.namesTypes = true
        if shape.types.isEmpty { builder.noteEmpty(path.error("allows nothing together with another type")) }
    }

    private mutating func addValues(
        _ values: [JSONValue], _ shape: inout SchemaShape, _ path: SchemaPath
    ) throws(GrammarError) {
        guard !values.isEmpty else { throw path.error("must be an array that is not empty") }
        try builder.visit(values.count)
        guard shape.values == nil else {
            shape.restrictions += 1
            return
        }
        (shape.values, shape.valuesPath) = (values, path)
    }

    private mutating func addReference(
        _ value: JSONValue, _ shape: inout SchemaShape, _ path: SchemaPath, _ pointers: Set<String>
    ) throws(GrammarError) {
        guard let pointer = value.string else { throw path.error("must be a string") }
        guard !pointers.contains(pointer) else { throw path.error("refers to itself") }
        // References that double from schema to schema would otherwise take 2^n steps.
        guard shape.added.insert(pointer).inserted else { return try builder.visit() }
        let schema = try resolve(pointer, path)
        let place = pointer == "#" ? SchemaPath.root : SchemaPath.root.appending(pointer)
        try add(SchemaConjunct(schema: schema, path: place), to: &shape, pointers.union([pointer]))
    }

    /// `if` as two alternatives: it holds and `then` holds, or it does not hold and `else` does.
    private mutating func addCondition(
        _ value: JSONValue, _ object: JSONObject, _ shape: inout SchemaShape, _ path: SchemaPath
    ) {
        guard object["then"] != nil || object["else"] != nil else { return }
        let place = path.appending("if")
        let yes: JSONValue = ["allOf": [value, object["then"] ?? true]]
        let no: JSONValue = ["not": value, "allOf": [object["else"] ?? true]]
        shape.choices.append(
            SchemaShape.Choice(
                branches: [yes, no].map { SchemaConjunct(schema: $0, path: place) }, isExact: false))
    }

    // MARK: Numbers and strings

    private mutating func addNumber(
        _ name: String, _ value: JSONValue, _ object: JSONObject, _ shape: inout SchemaShape, _ path: SchemaPath
    ) throws(GrammarError) {
        // In draft 4 it is a Boolean for the bound.
        if value.bool != nil, name.hasPrefix("exclusive") { return }
        guard let number = DecimalNumber(value) else {
            throw path.error("must be a number of at most \(DecimalNumber.mostDigits) digits")
        }
        switch name {
        case "minimum":
            shape.numbers.raise(NumberRange.Bound(value: number, isOpen: object["exclusiveMinimum"]?.bool == true))
        case "exclusiveMinimum": shape.numbers.raise(NumberRange.Bound(value: number, isOpen: true))
        case "maximum":
            shape.numbers.lower(NumberRange.Bound(value: number, isOpen: object["exclusiveMaximum"]?.bool == true))
        case "exclusiveMaximum": shape.numbers.lower(NumberRange.Bound(value: number, isOpen: true))
        default:
            guard let multiples = NumberMultiples(number) else {
                throw path.error("must be above 0, and have at most 12 digits that count, to be enforced")
            }
            guard let present = shape.multiples else {
                shape.multiples = multiples
                return
            }
            guard let both = present.intersection(multiples) else {
                throw path.error("cannot be enforced together with another 'multipleOf'")
            }
            shape.multiples = both
        }
    }

    private mutating func addString(
        _ name: String, _ value: JSONValue, _ shape: inout SchemaShape, _ path: SchemaPath
    ) throws(GrammarError) {
        switch name {
        case "minLength": shape.strings.least = max(shape.strings.least, try least(value, path))
        case "maxLength": shape.strings.most = min(shape.strings.most ?? .max, try most(value, path))
        case "pattern":
            guard let text = value.string else { throw path.error("must be a string") }
            try builder.visit(1 + text.utf8.count / 64)
            shape.strings.patterns += StringPattern.split(text, path)
        default:
            guard let text = value.string else { throw path.error("must be a string") }
            shape.strings.formats.append((text, path))
        }
    }

    func least(_ value: JSONValue, _ path: SchemaPath) throws(GrammarError) -> Int {
        guard let count = value.integer, 0...Self.mostCount ~= count else {
            throw path.error("must be a whole number from 0 to \(Self.mostCount)")
        }
        return count
    }

    /// An upper bound above the maximum is reduced to it.
    func most(_ value: JSONValue, _ path: SchemaPath) throws(GrammarError) -> Int {
        guard let number = DecimalNumber(value), number.isWhole, !number.isNegative else {
            throw path.error("must be a whole number that is not negative")
        }
        return min(value.integer ?? Self.mostCount, Self.mostCount)
    }
}
