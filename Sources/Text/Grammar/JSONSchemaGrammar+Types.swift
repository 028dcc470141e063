// How a schema of each type is written.

extension JSONSchemaGrammar {
    mutating func typed(_ object: JSONObject, _ path: String) throws(GrammarError) -> Part {
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

    private mutating func members(_ object: JSONObject, _ path: String) throws(GrammarError) -> Part {
        let properties = object["properties"]?.object ?? [:]
        let required = (object["required"]?.array ?? []).compactMap(\.string)
        let more = object["additionalProperties"]
        let patterns = try self.patterns(object, path)
        if properties.isEmpty, required.isEmpty, !patterns.isEmpty { return try patternMembers(patterns, path) }
        if properties.isEmpty, required.isEmpty {
            guard let more, more.bool != true else { return json.object }
            if more.bool == false { return try builder.rule(.sequence([.text("{"), json.space, .text("}")])) }
            let value = try part(more, Self.join(path, "additionalProperties"))
            let member = try builder.rule(.sequence([json.string, .text(":"), json.space, value]))
            let list = try JSONGrammar.list(member, least: 0, most: nil, json.space, &builder)
            return try builder.rule(.sequence([.text("{"), list, .text("}")]))
        }
        var names: [(name: String, schema: JSONValue, path: String)] = properties.map {
            ($0.name, $0.value, Self.join(path, "properties.\($0.name)"))
        }
        for name in required where properties[name] == nil {
            guard more?.bool != false || patterns.contains(where: { $0.matches(name) }) else {
                throw GrammarError(
                    path: Self.join(path, "required"), reason: "names '\(name)', which is not among the properties")
            }
            // Only where no pattern is meant for it.
            let isMatched = patterns.contains { $0.matches(name) }
            names.append((name, isMatched ? true : more ?? true, Self.join(path, "additionalProperties")))
        }
        for index in names.indices {
            let matching = patterns.filter { $0.matches(names[index].name) }.map(\.schema)
            if !matching.isEmpty { names[index].schema = ["allOf": .array([names[index].schema] + matching)] }
        }
        let isRequired = Set(required)
        // What may follow from each member on, behind others and as the first.
        var (later, first) = (Part.nothing, Part.nothing)
        for (name, schema, path) in names.reversed() {
            var key: [UInt8] = []
            JSONValue.writeString(name, to: &key)
            let value = try part(schema, path)
            let member = try builder.rule(.sequence([.literal(key + [UInt8(ascii: ":")]), json.space, value]))
            let behind: Part = .sequence([.text(","), json.space, member, later])
            let leading: Part = .sequence([json.space, member, later])
            let skipsLater = isRequired.contains(name) ? behind : .choice([behind, later])
            first = try builder.rule(isRequired.contains(name) ? leading : .choice([leading, first]))
            later = try builder.rule(skipsLater)
        }
        return try builder.rule(.sequence([.text("{"), first, json.space, .text("}")]))
    }

    private func patterns(_ object: JSONObject, _ path: String) throws(GrammarError) -> [NamePattern] {
        var patterns: [NamePattern] = []
        for (pattern, schema) in object["patternProperties"]?.object ?? [:] {
            patterns.append(
                try NamePattern(pattern, schema, path: Self.join(path, "patternProperties.\(pattern)")))
        }
        return patterns
    }

    /// An object that names no members: those that it has match the pattern.
    private mutating func patternMembers(_ patterns: [NamePattern], _ path: String) throws(GrammarError) -> Part {
        // A name might match another pattern too.
        guard patterns.count == 1, let pattern = patterns.first else {
            throw GrammarError(
                path: Self.join(path, "patternProperties"),
                reason: "cannot be enforced with several patterns and no properties")
        }
        let key = try builder.rule(.sequence([.text("\""), pattern.key, .text("\"")]), isLexeme: true)
        let value = try part(pattern.schema, pattern.path)
        let member = try builder.rule(.sequence([key, .text(":"), json.space, value]))
        let list = try JSONGrammar.list(member, least: 0, most: nil, json.space, &builder)
        return try builder.rule(.sequence([.text("{"), list, .text("}")]))
    }

    private mutating func elements(_ object: JSONObject, _ path: String) throws(GrammarError) -> Part {
        let least = try count(object, "minItems", path) ?? 0
        let most = try count(object, "maxItems", path)
        if let most, most < least { throw GrammarError(path: Self.join(path, "maxItems"), reason: "is below minItems") }
        var heads: [Part] = []
        for (index, schema) in (object["prefixItems"]?.array ?? []).enumerated() {
            heads.append(try part(schema, Self.join(path, "prefixItems[\(index)]")))
        }
        let tail: Part? =
            object["items"]?.bool == false ? nil : try part(object["items"] ?? true, Self.join(path, "items"))
        guard !heads.isEmpty else {
            guard let tail else {
                guard least == 0 else { throw GrammarError(path: path, reason: "allows nothing") }
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
            throw GrammarError(path: path, reason: "allows nothing")
        }
        for index in heads.indices.reversed() where index < most ?? .max {
            let head = index == 0 ? heads[index] : .sequence([.text(","), json.space, heads[index]])
            let element = try builder.rule(.sequence([head, rest]))
            rest = index < least ? element : .optional(element)
        }
        return try builder.rule(.sequence([.text("["), json.space, rest, json.space, .text("]")]))
    }

    private func count(_ object: JSONObject, _ name: String, _ path: String) throws(GrammarError) -> Int? {
        guard let value = object[name] else { return nil }
        guard let count = value.integer, 0...Self.mostRepetitions ~= count else {
            throw GrammarError(
                path: Self.join(path, name), reason: "must be a whole number from 0 to \(Self.mostRepetitions)")
        }
        return count
    }

    private mutating func string(_ object: JSONObject, _ path: String) throws(GrammarError) -> Part {
        let least = try count(object, "minLength", path) ?? 0
        let most = try count(object, "maxLength", path)
        if let most, most < least {
            throw GrammarError(path: Self.join(path, "maxLength"), reason: "is below minLength")
        }
        let isBounded = least > 0 || most != nil
        for (name, value) in [("pattern", object["pattern"]), ("format", object["format"])] {
            guard let value else { continue }
            let path = Self.join(path, name)
            guard let text = value.string else { throw GrammarError(path: path, reason: "must be a string") }
            if isBounded || name == "pattern" && object["format"] != nil {
                throw GrammarError(path: path, reason: "cannot be enforced together with other bounds of a string")
            }
            guard let pattern = name == "pattern" ? text : StringFormats.patterns[text] else {
                throw GrammarError(path: path, reason: "'\(text)' cannot be enforced")
            }
            let body: Part
            do throws(GrammarError) {
                body = try RegexGrammar.part(pattern, searches: name == "pattern", write: JSONGrammar.write)
            } catch {
                throw GrammarError(path: path, reason: error.reason)
            }
            return try builder.rule(.sequence([.text("\""), body, .text("\"")]), isLexeme: true)
        }
        guard isBounded else { return json.string }
        return try builder.rule(
            .sequence([.text("\""), .times(json.character, least: least, most: most), .text("\"")]), isLexeme: true)
    }

    private mutating func number(
        _ object: JSONObject, _ path: String, isInteger: Bool
    ) throws(GrammarError) -> Part {
        var bounds: [String: Int64] = [:]
        for name in ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"] {
            guard let value = object[name] else { continue }
            guard let number = value.double, number.rounded() == number, number.magnitude < 1e15 else {
                throw GrammarError(
                    path: Self.join(path, name), reason: "must be a whole number below 10^15 to be enforced")
            }
            bounds[name] = Int64(number)
        }
        if bounds.isEmpty { return isInteger ? json.integer : json.number }
        let range = NumberRange(
            low: bounds["minimum"], above: bounds["exclusiveMinimum"], high: bounds["maximum"],
            below: bounds["exclusiveMaximum"])
        guard let part = isInteger ? range.integers : range.numbers else {
            throw GrammarError(path: path, reason: "allows no number")
        }
        return try builder.rule(part, isLexeme: true)
    }
}
