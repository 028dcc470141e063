// How a schema of each type is written.
import JSON

extension JSONSchemaGrammar {
    mutating func typed(_ object: JSONObject, _ path: SchemaPath) throws(GrammarError) -> Part {
        let names = try typeNames(object, path)
        if names.isEmpty { return json.value }
        var choices: [Part] = []
        for name in names {
            switch name {
            case "object": choices.append(try members(object, path))
            case "array": choices.append(try elements(object, path))
            case "string": choices.append(try string(object, path))
            case "boolean": choices += [.text("true"), .text("false")]
            case "null": choices.append(.text("null"))
            case "integer": choices.append(try number(object, path, isInteger: true))
            default: choices.append(try number(object, path, isInteger: false))
            }
        }
        return choices.count == 1 ? choices[0] : .choice(choices)
    }

    private mutating func members(_ object: JSONObject, _ path: SchemaPath) throws(GrammarError) -> Part {
        let properties = object["properties"]?.object ?? [:]
        let required = (object["required"]?.array ?? []).compactMap(\.string)
        let more = object["additionalProperties"]
        var patterns = try self.patterns(object, path)
        if properties.isEmpty, required.isEmpty, !patterns.isEmpty { return try patternMembers(patterns, path) }
        if properties.isEmpty, required.isEmpty {
            guard let more, more.bool != true else { return json.object }
            if more.bool == false { return try builder.rule(.sequence([.text("{"), json.space, .text("}")])) }
            let value = try part(more, path.appending("additionalProperties"))
            let member = try builder.rule(.sequence([json.string, .text(":"), json.space, value]))
            let list = try JSONGrammar.list(member, least: 0, most: nil, json.space, &builder)
            return try builder.rule(.sequence([.text("{"), list, .text("}")]))
        }
        var names: [(name: String, schema: JSONValue, path: SchemaPath)] = properties.map {
            ($0.name, $0.value, path.appending("properties", $0.name))
        }
        let isRequired = Set(required)
        var added: Set<String> = []
        for name in required where properties[name] == nil && added.insert(name).inserted {
            // A schema for others is meant only where no pattern is.
            let isMatched = try !matching(name, &patterns).isEmpty
            guard more?.bool != false || isMatched else {
                throw path.appending("required").error("names '\(name.prefix(80))', which is not among the properties")
            }
            names.append((name, isMatched ? true : more ?? true, path.appending("additionalProperties")))
        }
        for index in names.indices where !patterns.isEmpty {
            let schemas = try matching(names[index].name, &patterns)
            if !schemas.isEmpty { names[index].schema = ["allOf": .array([names[index].schema] + schemas)] }
        }
        // From each member on, the last one first: what may come as the next one, and what may follow another one. Space
        // stands before the choice, so that each member is one parse.
        var (next, later) = (Part?.none, Part.nothing)
        var isNeeded = false
        for (name, schema, path) in names.reversed() {
            var key: [UInt8] = []
            JSONValue.writeString(name, to: &key)
            let value = try part(schema, path)
            let member = try builder.rule(.sequence([.literal(key + [UInt8(ascii: ":")]), json.space, value]))
            let here = Part.sequence([member, later])
            let skips = isRequired.contains(name) ? nil : next
            let any = try builder.rule(skips.map { .choice([here, $0]) } ?? here)
            isNeeded = isNeeded || isRequired.contains(name)
            let more = Part.sequence([.text(","), json.space, any])
            (next, later) = (any, try builder.rule(isNeeded ? more : .choice([more, .nothing])))
        }
        let list = Part.sequence([next ?? .nothing, json.space])
        return try builder.rule(
            .sequence([.text("{"), json.space, isNeeded ? list : .optional(list), .text("}")]))
    }

    /// The schemas of the patterns that a name matches.
    private mutating func matching(
        _ name: String, _ patterns: inout [NamePattern]
    ) throws(GrammarError) -> [JSONValue] {
        var schemas: [JSONValue] = []
        for index in patterns.indices where try patterns[index].matches(name, &builder) {
            schemas.append(patterns[index].schema)
        }
        return schemas
    }

    private mutating func patterns(_ object: JSONObject, _ path: SchemaPath) throws(GrammarError) -> [NamePattern] {
        var patterns: [NamePattern] = []
        for (pattern, schema) in object["patternProperties"]?.object ?? [:] {
            patterns.append(
                try NamePattern(pattern, schema, path: path.appending("patternProperties", pattern), &builder))
        }
        return patterns
    }

    /// An object that names no members: those that it has match the pattern.
    private mutating func patternMembers(_ patterns: [NamePattern], _ path: SchemaPath) throws(GrammarError) -> Part {
        // A name might match another pattern too.
        guard patterns.count == 1, let pattern = patterns.first else {
            throw path.appending("patternProperties").error(
                "cannot be enforced with several patterns and no properties")
        }
        let key = try builder.rule(.sequence([.text("\""), pattern.key, .text("\"")]), isLexeme: true)
        let value = try part(pattern.schema, pattern.path)
        let member = try builder.rule(.sequence([key, .text(":"), json.space, value]))
        let list = try JSONGrammar.list(member, least: 0, most: nil, json.space, &builder)
        return try builder.rule(.sequence([.text("{"), list, .text("}")]))
    }

    private mutating func elements(_ object: JSONObject, _ path: SchemaPath) throws(GrammarError) -> Part {
        let least = try count(object, "minItems", path) ?? 0
        let most = try count(object, "maxItems", path)
        if let most, most < least { throw path.appending("maxItems").error("is below minItems") }
        var heads: [Part] = []
        for (index, schema) in (object["prefixItems"]?.array ?? []).enumerated() {
            heads.append(try part(schema, path.appending("prefixItems", at: index)))
        }
        let tail: Part? =
            object["items"]?.bool == false ? nil : try part(object["items"] ?? true, path.appending("items"))
        guard !heads.isEmpty else {
            guard let tail else {
                guard least == 0 else { throw path.error("allows nothing") }
                return try builder.rule(.sequence([.text("["), json.space, .text("]")]))
            }
            let item = try builder.rule(tail)
            let list = try JSONGrammar.list(item, least: least, most: most, json.space, &builder)
            return try builder.rule(.sequence([.text("["), list, .text("]")]))
        }
        // From the last one on: what may follow an element.
        let count = heads.count
        var rest = Part.nothing
        if let tail, most ?? .max > count {
            let item = try builder.rule(.sequence([.text(","), json.space, tail]))
            rest = .times(item, least: max(0, least - count), most: most.map { $0 - count })
        } else if least > count {
            throw path.error("allows nothing")
        }
        for index in heads.indices.reversed() where index < most ?? .max {
            let head = index == 0 ? heads[index] : .sequence([.text(","), json.space, heads[index]])
            let element = try builder.rule(.sequence([head, rest]))
            rest = index < least ? element : .optional(element)
        }
        return try builder.rule(.sequence([.text("["), json.space, rest, json.space, .text("]")]))
    }

    private func count(_ object: JSONObject, _ name: String, _ path: SchemaPath) throws(GrammarError) -> Int? {
        guard let value = object[name] else { return nil }
        guard let count = value.integer, 0...Self.mostRepetitions ~= count else {
            throw path.appending(name).error("must be a whole number from 0 to \(Self.mostRepetitions)")
        }
        return count
    }

    private mutating func string(_ object: JSONObject, _ path: SchemaPath) throws(GrammarError) -> Part {
        let least = try count(object, "minLength", path) ?? 0
        let most = try count(object, "maxLength", path)
        if let most, most < least {
            throw path.appending("maxLength").error("is below minLength")
        }
        let isBounded = least > 0 || most != nil
        for (name, value) in [("pattern", object["pattern"]), ("format", object["format"])] {
            guard let value else { continue }
            let path = path.appending(name)
            guard let text = value.string else { throw path.error("must be a string") }
            if isBounded || name == "pattern" && object["format"] != nil {
                throw path.error("cannot be enforced together with other bounds of a string")
            }
            guard let pattern = name == "pattern" ? text : StringFormats.patterns[text] else {
                throw path.error("'\(text.prefix(80))' cannot be enforced")
            }
            let body: Part
            do throws(GrammarError) {
                body = try RegexGrammar.part(
                    pattern, searches: name == "pattern", &builder, write: JSONGrammar.write)
            } catch {
                throw path.error(error.reason)
            }
            return try builder.rule(.sequence([.text("\""), body, .text("\"")]), isLexeme: true)
        }
        guard isBounded else { return json.string }
        return try builder.rule(
            .sequence([.text("\""), .times(json.character, least: least, most: most), .text("\"")]), isLexeme: true)
    }

    private mutating func number(
        _ object: JSONObject, _ path: SchemaPath, isInteger: Bool
    ) throws(GrammarError) -> Part {
        var bounds: [String: Int64] = [:]
        for name in ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"] {
            guard let value = object[name] else { continue }
            guard let number = value.double, number.rounded() == number, number.magnitude < 1e15 else {
                throw path.appending(name).error("must be a whole number below 10^15 to be enforced")
            }
            bounds[name] = Int64(number)
        }
        if bounds.isEmpty { return isInteger ? json.integer : json.number }
        let range = NumberRange(
            low: bounds["minimum"], above: bounds["exclusiveMinimum"], high: bounds["maximum"],
            below: bounds["exclusiveMaximum"])
        guard let part = isInteger ? range.integers : range.numbers else {
            throw path.error("allows no number")
        }
        return try builder.rule(part, isLexeme: true)
    }
}
