// The grammar of each type.
import JSON

extension JSONSchemaGrammar {
    mutating func typed(_ shape: SchemaShape) throws(GrammarError) -> Part {
        let types = shape.effectiveTypes
        if types == .all, shape.restrictions == 0 { return json.value }
        var choices: [Part] = []
        if types.contains(.object) { choices.append(try members(shape)) }
        if types.contains(.array) { choices.append(try elements(shape)) }
        if types.contains(.string) { choices.append(try string(shape)) }
        if types.contains(.boolean) { choices += [.text("true"), .text("false")] }
        if types.contains(.null) { choices.append(.text("null")) }
        let numbers = types.intersection(.number)
        if !numbers.isEmpty { choices.append(try number(shape, numbers)) }
        return choices.count == 1 ? choices[0] : .choice(choices)
    }

    private mutating func number(
        _ shape: SchemaShape, _ types: SchemaShape.Types
    ) throws(GrammarError) -> Part {
        guard types.contains(.integer) else {
            throw shape.path.error("cannot be enforced: it allows only numbers that are not whole")
        }
        let isInteger = types == .integer
        guard !shape.numbers.isEmpty else {
            builder.noteEmpty(shape.path.error("allows no number"))
            return .choice([])
        }
        if let multiples = shape.multiples {
            let part = try multiples.part(in: shape.numbers, isInteger: isInteger, &builder)
            return try builder.rule(part, isLexeme: true)
        }
        if shape.numbers.isUnbounded { return isInteger ? json.integer : json.number }
        let part = isInteger ? shape.numbers.integers : shape.numbers.numbers
        if case .choice(let parts) = part, parts.isEmpty {
            builder.noteEmpty(shape.path.error("allows no number"))
        }
        return try builder.rule(part, isLexeme: true)
    }

    private mutating func elements(_ shape: SchemaShape) throws(GrammarError) -> Part {
        let arrays = shape.arrays
        let path = shape.path
        let least = arrays.least
        var most = arrays.most
        let prefix = arrays.parts.reduce(0) { max($0, $1.prefix.count) }
        let all = (0...prefix).map { index in arrays.parts.flatMap { $0.conjuncts(at: index) } }
        // No element is possible at a position whose schema is false.
        if let end = all.firstIndex(where: { $0.contains { $0.schema.bool == false } }) {
            most = min(most ?? .max, end)
        }
        if let most, most < least {
            builder.noteEmpty(path.error("allows nothing: minItems is greater than what may stand in the array"))
            return .choice([])
        }
        if let unique = arrays.unique, most ?? .max > 1 {
            guard prefix == 0 else { throw unique.error("cannot be enforced together with 'prefixItems'") }
            return try uniqueElements(all[0], least: least, most: most, unique)
        }
        var heads: [Part] = []
        for index in 0..<prefix where index < most ?? .max { heads.append(try part(all[index])) }
        guard !heads.isEmpty else {
            if most == 0 { return try builder.rule(.sequence([.text("["), json.space, .text("]")])) }
            let item = try builder.rule(try part(all[prefix]))
            let list = try JSONGrammar.list(item, least: least, most: most, json.space, &builder)
            return try builder.rule(.sequence([.text("["), list, .text("]")]))
        }
        // From the last one: what may follow an element.
        var rest = Part.nothing
        if most ?? .max > prefix {
            let item = try builder.rule(.sequence([.text(","), json.space, try part(all[prefix])]))
            rest = .times(item, least: max(0, least - prefix), most: most.map { $0 - prefix })
        }
        for index in heads.indices.reversed() {
            let head = index == 0 ? heads[index] : .sequence([.text(","), json.space, heads[index]])
            let element = try builder.rule(.sequence([head, rest]))
            rest = index < least ? element : .optional(element)
        }
        return try builder.rule(.sequence([.text("["), json.space, rest, json.space, .text("]")]))
    }
}
