import JSON

// Objects.

extension JSONSchemaGrammar {
    /// A possible member of an object, and all schemas of its value.
    struct Member {
        var name: String
        var conjuncts: [SchemaConjunct]
    }

    /// The schemas of a member's value.
    mutating func conjuncts(of name: String, in shape: SchemaShape) throws(GrammarError) -> [SchemaConjunct] {
        var conjuncts: [SchemaConjunct] = []
        for part in shape.objects.parts { conjuncts += try self.conjuncts(of: name, in: part) }
        return conjuncts
    }

    private mutating func conjuncts(
        of name: String, in part: SchemaShape.Objects.Part
    ) throws(GrammarError) -> [SchemaConjunct] {
        var conjuncts = try conjuncts(beside: name, in: part)
        if let schema = part.properties[name] {
            conjuncts.append(SchemaConjunct(schema: schema, path: part.path.appending("properties", name)))
        }
        return conjuncts
    }

    /// The schemas from patterns, and from `additionalProperties` if nothing else applies.
    private mutating func conjuncts(
        beside name: String, in part: SchemaShape.Objects.Part
    ) throws(GrammarError) -> [SchemaConjunct] {
        var conjuncts: [SchemaConjunct] = []
        for pattern in part.patterns {
            var pattern = pattern
            guard try pattern.matches(name, &builder) else { continue }
            conjuncts.append(SchemaConjunct(schema: pattern.schema, path: pattern.path))
        }
        if conjuncts.isEmpty, let additional = part.additional, part.properties[name] == nil {
            conjuncts.append(additional)
        }
        return conjuncts
    }

    /// Whether an object must not have a member; for `nil`, whether it must not have any.
    mutating func forbids(_ shape: SchemaShape, _ name: String?) throws(GrammarError) -> Bool {
        guard let name else {
            return shape.objects.parts.contains {
                $0.additional?.schema.bool == false && $0.patterns.isEmpty && $0.properties.isEmpty
            }
        }
        return try conjuncts(of: name, in: shape).contains { $0.schema.bool == false }
    }

    /// The members that schemas name and allow, in order.
    mutating func names(of shape: SchemaShape) throws(GrammarError) -> [Member] {
        let objects = shape.objects
        var members: [Member] = []
        var numbers: [[UInt8]: Int] = [:]
        func number(of name: String) -> Int {
            let number = numbers[Array(name.utf8)] ?? members.count
            if number == members.count {
                numbers[Array(name.utf8)] = number
                members.append(Member(name: name, conjuncts: []))
            }
            return number
        }
        for part in objects.parts {
            try builder.visit(part.properties.count)
            for (name, schema) in part.properties {
                let path = part.path.appending("properties", name)
                members[number(of: name)].conjuncts.append(SchemaConjunct(schema: schema, path: path))
            }
        }
        for name in objects.required { _ = number(of: name) }
        let restricting = objects.names.filter { $0.schema["type"] != "string" || $0.schema.object?.count != 1 }
        if !restricting.isEmpty {
            // Listed names are optional members.
            let names = try self.shape(of: restricting)
            for value in names.values ?? [] { if let name = value.string { _ = number(of: name) } }
        }
        let others = objects.parts.filter { $0.additional != nil || !$0.patterns.isEmpty }
        var allowed: [Member] = []
        for member in members {
            var member = member
            try builder.visit(others.count)
            for part in others { member.conjuncts += try conjuncts(beside: member.name, in: part) }
            if member.conjuncts.contains(where: { $0.schema.bool == false }) { continue }
            if try !isValid(.string(member.name), restricting.map(\.schema)) { continue }
            allowed.append(member)
        }
        return allowed
    }

    mutating func members(_ shape: SchemaShape) throws(GrammarError) -> Part {
        let objects = shape.objects
        let all = try names(of: shape)
        let named = Set(all.map { Array($0.name.utf8) })
        for name in objects.required where !named.contains(Array(name.utf8)) {
            let place = shape.path.appending("required")
            builder.noteEmpty(place.error("names '\(name.prefix(80))', which the schema does not allow"))
            return .choice([])
        }
        if let most = objects.most, most < max(objects.least, objects.required.count) {
            builder.noteEmpty(shape.path.error("allows nothing: it requires more members than there may be"))
            return .choice([])
        }
        let isNaming = objects.parts.contains { !$0.properties.isEmpty }
        if all.isEmpty, !isNaming { return try unnamedMembers(shape) }
        if objects.least > all.count {
            if objects.parts.contains(where: { $0.additional?.schema.bool == false }) {
                builder.noteEmpty(objects.leastPath.error("is greater than the number of properties"))
                return .choice([])
            }
            throw objects.leastPath.error("cannot be enforced: it is greater than the number of properties")
        }
        return try namedMembers(all, objects)
    }

    /// Members in order, each at most once.
    private mutating func namedMembers(
        _ all: [Member], _ objects: SchemaShape.Objects
    ) throws(GrammarError) -> Part {
        // The count of members is limited to the values that matter.
        let most = objects.most.flatMap { $0 < all.count ? $0 : nil }
        let counts = most ?? objects.least
        let unneeded = all.indices.last { objects.isRequired.contains(Array(all[$0].name.utf8)) } ?? -1
        try builder.visit((counts + 1) * all.count)
        // From the last member on, by the count so far: what may come next at the beginning, and after another member. White
        // space comes before the choice, so that each member is one parse.
        var next = [Part?](repeating: nil, count: counts + 1)
        var later = (0...counts).map { $0 >= objects.least ? Part.nothing : .choice([]) }
        for index in all.indices.reversed() {
            let name = all[index].name
            var key: [UInt8] = []
            JSONValue.writeString(name, to: &key)
            let value = try part(all[index].conjuncts)
            let member = try builder.rule(.sequence([.literal(key + [UInt8(ascii: ":")]), json.space, value]))
            let isRequired = objects.isRequired.contains(Array(name.utf8))
            let (oldNext, oldLater) = (next, later)
            for count in 0...counts {
                let isFull = count == most
                let here = Part.sequence([member, oldLater[min(count + 1, counts)]])
                let skips = isRequired ? nil : oldNext[count]
                let choices = (isFull ? [] : [here]) + [skips].compactMap(\.self)
                let any = try builder.rule(choices.count == 1 ? choices[0] : .choice(choices))
                let more = Part.sequence([.text(","), json.space, any])
                let mayEnd = index > unneeded && count >= objects.least
                next[count] = any
                later[count] = try builder.rule(mayEnd ? .choice([more, .nothing]) : more)
            }
        }
        let list = Part.sequence([next[0] ?? .nothing, json.space])
        let mayBeEmpty = unneeded < 0 && objects.least == 0
        return try builder.rule(.sequence([.text("{"), json.space, mayBeEmpty ? .optional(list) : list, .text("}")]))
    }

    /// An object for which no schema names members.
    private mutating func unnamedMembers(_ shape: SchemaShape) throws(GrammarError) -> Part {
        let objects = shape.objects
        var most = objects.most
        let patterns = objects.parts.flatMap(\.patterns)
        if patterns.isEmpty, objects.parts.contains(where: { $0.additional?.schema.bool == false }) {
            most = 0
            guard objects.least == 0 else {
                builder.noteEmpty(objects.leastPath.error("is greater than the number of properties"))
                return .choice([])
            }
        }
        if most == 0 { return try builder.rule(.sequence([.text("{"), json.space, .text("}")])) }
        var values = objects.parts.compactMap(\.additional).filter { $0.schema.bool != true }
        var key = json.string
        if let pattern = patterns.first {
            // A name might match another pattern too.
            guard patterns.count == 1, objects.parts.count == 1 else {
                throw pattern.path.error("cannot be enforced with several patterns and no properties")
            }
            guard objects.names.isEmpty else {
                throw pattern.path.error("cannot be enforced together with 'propertyNames'")
            }
            key = try builder.rule(.sequence([.text("\""), pattern.key, .text("\"")]), isLexeme: true)
            values = [SchemaConjunct(schema: pattern.schema, path: pattern.path)]
        } else if let names = objects.names.first {
            let string = SchemaConjunct(schema: ["type": "string"], path: names.path)
            key = try part([string] + objects.names)
        } else if values.isEmpty, objects.least == 0, most == nil {
            return json.object
        }
        let value = try part(values)
        if objects.least > 1 {
            guard patterns.isEmpty else {
                throw objects.leastPath.error("cannot be enforced above 1 together with 'patternProperties'")
            }
            // Members with the same name would be duplicates.
            let string = SchemaConjunct(schema: ["type": "string"], path: objects.leastPath)
            let list = try distinctList(
                of: [string] + objects.names, least: objects.least, most: most, objects.leastPath
            ) { .sequence([$0, .text(":"), $1, value]) }
            return try builder.rule(.sequence([.text("{"), list, .text("}")]))
        }
        let member = try builder.rule(.sequence([key, .text(":"), json.space, value]))
        let list = try JSONGrammar.list(member, least: objects.least, most: most, json.space, &builder)
        return try builder.rule(.sequence([.text("{"), list, .text("}")]))
    }
}
