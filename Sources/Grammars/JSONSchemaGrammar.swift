import JSON

/// JSON Schema as a grammar: every text of the grammar conforms to the schema. The reverse is not true: members come in the
/// order of `properties`, and if a schema names members, others are omitted.
///
/// A keyword that cannot be enforced is refused with its path; unknown keywords are annotations.
struct JSONSchemaGrammar {
    typealias Part = GrammarBuilder.Part

    private static let mostDepth = 100

    let root: JSONValue
    /// Swapped with the caller's: copying it would take time proportional to its size.
    var builder = GrammarBuilder()
    let json: JSONGrammar
    /// Whether keywords that cannot be enforced are ignored instead of refused.
    let isLenient: Bool
    var validator: SchemaValidator
    /// Rules of the targets of `$ref`.
    private var references: [String: Int] = [:]
    private var depth = 0

    /// The part for a schema. O(size), or up to ``GrammarBuilder/mostVisits`` steps if schemas are visited repeatedly.
    ///
    /// - Parameters:
    ///   - path: where the schema is in `root`.
    ///   - root: the schema that its references mean; `nil`: itself.
    ///   - isBare: whether it is a string that is written without quotes; see ``bareString(_:)``.
    ///   - isLenient: whether keywords that cannot be enforced are ignored.
    /// - Throws: `GrammarError` that names the keyword.
    static func part(
        _ schema: JSONValue, at path: SchemaPath = .root, in root: JSONValue? = nil, isBare: Bool = false,
        json: JSONGrammar, isLenient: Bool = false, _ builder: inout GrammarBuilder
    ) throws(GrammarError) -> GrammarBuilder.Part {
        var compiler = JSONSchemaGrammar(root ?? schema, json, isLenient)
        swap(&compiler.builder, &builder)
        defer { swap(&compiler.builder, &builder) }
        let conjuncts = [SchemaConjunct(schema: schema, path: path)]
        return try isBare ? compiler.bareString(conjuncts) : compiler.part(conjuncts)
    }

    private init(_ root: JSONValue, _ json: JSONGrammar, _ isLenient: Bool) {
        (self.root, self.json, self.isLenient) = (root, json, isLenient)
        validator = SchemaValidator(root: root)
    }

    mutating func enter(_ path: SchemaPath) throws(GrammarError) {
        depth += 1
        guard depth <= Self.mostDepth else {
            depth -= 1
            throw path.error("nests more than \(Self.mostDepth) schemas")
        }
    }

    mutating func leave() { depth -= 1 }

    /// The part for values that conform to all of some schemas.
    mutating func part(_ conjuncts: [SchemaConjunct]) throws(GrammarError) -> Part {
        let path = conjuncts.first?.path ?? .root
        try enter(path)
        defer { leave() }
        let conjuncts = conjuncts.filter { $0.schema.bool != true }
        guard !conjuncts.isEmpty else { return json.value }
        do throws(GrammarError) {
            let pointers = conjuncts.compactMap(\.reference)
            if pointers.count == conjuncts.count {
                return try referenced(pointers, path.appending("$ref"))
            }
            return try part(of: try shape(of: conjuncts))
        } catch {
            guard isLenient, !error.isLimit else { throw error }
            return free(conjuncts)
        }
    }

    /// Any value of the types that the schemas name.
    private func free(_ conjuncts: [SchemaConjunct]) -> Part {
        for conjunct in conjuncts {
            switch conjunct.schema["type"]?.string {
            case "object": return json.object
            case "string": return json.string
            case "integer": return json.integer
            case "number": return json.number
            case "boolean": return .choice([.text("true"), .text("false")])
            default: break
            }
        }
        return json.value
    }

    mutating func part(of shape: SchemaShape) throws(GrammarError) -> Part {
        try enter(shape.path)
        defer { leave() }
        try builder.visit()
        if shape.values != nil { return try literals(shape) }
        if !shape.choices.isEmpty { return try distributed(shape) }
        if let exclusion = shape.exclusions.first {
            var rest = shape
            rest.exclusions.removeFirst()
            let other = try self.shape(of: [exclusion])
            var choices: [Part] = []
            for shape in try remainder(of: rest, without: other, exclusion.path).shapes {
                choices.append(try part(of: shape))
            }
            if choices.isEmpty { builder.noteEmpty(exclusion.path.error("leaves nothing")) }
            return choices.count == 1 ? choices[0] : .choice(choices)
        }
        return try typed(shape)
    }
}

// MARK: References

extension JSONSchemaGrammar {
    /// One rule for the conjunction of some pointers' targets.
    private mutating func referenced(_ pointers: [String], _ path: SchemaPath) throws(GrammarError) -> Part {
        let pointers = Set(pointers).sorted()
        let key = pointers.count == 1 ? pointers[0] : pointers.joined(separator: "\n")
        if let rule = references[key] { return .rule(rule) }
        var conjuncts: [SchemaConjunct] = []
        for pointer in pointers {
            let place = pointer == "#" ? SchemaPath.root : SchemaPath.root.appending(pointer)
            conjuncts.append(SchemaConjunct(schema: try resolve(pointer, path), path: place))
        }
        let rule = builder.declare()
        references[key] = rule
        try builder.define(rule, try part(conjuncts))
        return .rule(rule)
    }

    mutating func resolve(_ pointer: String, _ path: SchemaPath) throws(GrammarError) -> JSONValue {
        guard pointer == "#" || pointer.hasPrefix("#/") else {
            throw path.error("refers to '\(pointer.prefix(80))', which is outside the schema")
        }
        try builder.visit(1 + pointer.utf8.count / 16)
        guard let schema = root.target(ofReference: pointer) else {
            throw path.error("refers to '\(pointer.prefix(80))', which does not exist")
        }
        return schema
    }
}

// MARK: Values and alternatives

extension JSONSchemaGrammar {
    /// Whether a value conforms to some schemas.
    mutating func isValid(_ value: JSONValue, _ schemas: [JSONValue]) throws(GrammarError) -> Bool {
        for schema in schemas where try !validator.isValid(value, schema, &builder) { return false }
        return true
    }

    /// The given values that conform, written compactly.
    private mutating func literals(_ shape: SchemaShape) throws(GrammarError) -> Part {
        var texts: [Part] = []
        for value in try valid(shape.values ?? [], shape) { texts.append(.literal(value.serialized)) }
        guard !texts.isEmpty else {
            builder.noteEmpty(shape.valuesPath.error("allows nothing"))
            return .choice([])
        }
        return try builder.rule(.choice(texts), isLexeme: false)
    }

    mutating func valid(_ values: [JSONValue], _ shape: SchemaShape) throws(GrammarError) -> [JSONValue] {
        var valid: [JSONValue] = []
        for value in values where shape.types.contains(SchemaShape.Types(of: value)) {
            let isFree = shape.restrictions == 0 && shape.exclusions.isEmpty
            guard try isFree ? true : isValid(value, shape.sources) else { continue }
            valid.append(value)
        }
        return valid
    }

    private mutating func distributed(_ shape: SchemaShape) throws(GrammarError) -> Part {
        var rest = shape
        let choice = rest.choices.removeFirst()
        // If there are no other keywords, alternatives are compiled like any schema and share its rules.
        let isAlone = shape.restrictions <= 1 && !shape.namesTypes && shape.exclusions.isEmpty
        var parts: [Part] = []
        let key = choice.isExact ? try discriminator(of: choice.branches) : nil
        for (index, branch) in choice.branches.enumerated() {
            var conjuncts = [branch]
            if let key, !key.isRequired[index] {
                conjuncts.append(SchemaConjunct(schema: ["required": [.string(key.name)]], path: branch.path))
            }
            var others: [SchemaConjunct] = []
            if choice.isExact, key == nil {
                for (number, other) in choice.branches.enumerated() where number != index {
                    let isSeparate = isAlone ? try areDisjoint([branch], [other], other.path) : false
                    if !isSeparate { others.append(other) }
                }
            }
            if isAlone, others.isEmpty {
                parts.append(try part(conjuncts))
                continue
            }
            var shape = rest
            shape.path = branch.path
            for conjunct in conjuncts { try add(conjunct, to: &shape) }
            for other in others {
                shape.exclusions.append(other)
                shape.sources.append(["not": other.schema])
            }
            parts.append(try part(of: shape))
        }
        return parts.count == 1 ? parts[0] : .choice(parts)
    }

    /// The property whose given values distinguish all of some objects, and in which of them it is required.
    private mutating func discriminator(
        of branches: [SchemaConjunct]
    ) throws(GrammarError) -> (name: String, isRequired: [Bool])? {
        var shapes: [SchemaShape] = []
        for branch in branches {
            let shape = try shape(of: [branch])
            guard shape.effectiveTypes == .object, shape.choices.isEmpty else { return nil }
            shapes.append(shape)
        }
        for name in shapes.first?.objects.parts.first?.properties.names.map({ $0 }) ?? [] {
            var seen: Set<JSONValue> = []
            var isRequired: [Bool] = []
            search: for shape in shapes {
                for part in shape.objects.parts {
                    guard let property = part.properties[name],
                        let values = property["const"].map({ [$0] }) ?? property["enum"]?.array,
                        values.allSatisfy({ $0.string != nil })
                    else { continue }
                    try builder.visit(values.count)
                    guard values.allSatisfy({ seen.insert($0).inserted }) else { break search }
                    isRequired.append(shape.objects.isRequired.contains(Array(name.utf8)))
                    continue search
                }
                break
            }
            if isRequired.count == shapes.count { return (name, isRequired) }
        }
        return nil
    }
}
