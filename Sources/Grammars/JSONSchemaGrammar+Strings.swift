// Strings.

extension JSONSchemaGrammar {
    /// - Parameter isCanonical: whether each string is written in a single way.
    mutating func string(_ shape: SchemaShape, isCanonical: Bool = false) throws(GrammarError) -> Part {
        let body = try characters(shape, isCanonical)
        guard let body else { return json.string }
        return try builder.rule(.sequence([.text("\""), body, .text("\"")]), isLexeme: true)
    }

    /// The part between the quotes; `nil`: anything.
    private mutating func characters(_ shape: SchemaShape, _ isCanonical: Bool) throws(GrammarError) -> Part? {
        let strings = shape.strings
        let (least, most) = (strings.least, strings.most)
        if let most, most < least {
            builder.noteEmpty(shape.path.error("allows no string: minLength is greater than maxLength"))
            return .choice([])
        }
        let isBounded = least > 0 || most != nil
        let formats = strings.formats.filter { StringFormats.patterns[$0.name] != nil }
        if strings.patterns.isEmpty, formats.isEmpty {
            guard isBounded || isCanonical else { return nil }
            let character = isCanonical ? try builder.rule(JSONGrammar.write(.all)) : json.character
            return .times(character, least: least, most: most)
        }
        if strings.patterns.isEmpty, let format = formats.first, formats.allSatisfy({ $0.name == format.name }) {
            let known = StringFormats.patterns[format.name]
            if let known, least <= known.lengths.lowerBound, most ?? .max >= known.lengths.upperBound {
                return try StringPattern(format: known.pattern, path: format.path).part(&builder)
            }
        }
        if formats.isEmpty, strings.patterns.count == 1, let pattern = strings.patterns.first, !pattern.isNegated {
            let part = try pattern.part(&builder)
            if !isBounded { return part }
            // One class of characters, repeated: the length is the count.
            if let (character, range) = pattern.repeated(part) {
                let low = max(least, range.least)
                let high = [most, range.most].compactMap(\.self).min()
                if let high, high < low {
                    builder.noteEmpty(pattern.path.error("allows nothing together with the other bounds of the string"))
                    return .choice([])
                }
                return .times(character, least: low, most: high)
            }
        }
        var patterns = strings.patterns
        for format in formats {
            guard let known = StringFormats.patterns[format.name] else { continue }
            patterns.append(StringPattern(format: known.loose ?? known.pattern, path: format.path))
        }
        let limit = formats.compactMap { StringFormats.patterns[$0.name]?.looseMost }.min()
        let high = [most, limit].compactMap(\.self).min()
        return try StringIntersection.part(patterns, least: least, most: high, &builder)
    }

    /// The part for a string that is written as it is, without quotes and escapes, in an element whose end is a tag: so it
    /// has no "<", unless it is one of given values.
    mutating func bareString(_ conjuncts: [SchemaConjunct]) throws(GrammarError) -> Part {
        do throws(GrammarError) {
            return try bareString(shape(of: conjuncts))
        } catch {
            guard isLenient, !error.isLimit else { throw error }
            return .times(Self.bare(.all), least: 0, most: nil)
        }
    }

    private static func bare(_ characters: CharacterRanges) -> Part {
        characters.subtracting(CharacterRanges("<")).utf8
    }

    private mutating func bareString(_ shape: SchemaShape) throws(GrammarError) -> Part {
        if let values = shape.values {
            let texts = try valid(values, shape).compactMap(\.string)
            if texts.isEmpty { builder.noteEmpty(shape.valuesPath.error("allows nothing")) }
            return try builder.rule(.choice(texts.map { .text($0) }))
        }
        let (least, most) = (shape.strings.least, shape.strings.most)
        var patterns = shape.strings.patterns
        for format in shape.strings.formats {
            guard let known = StringFormats.patterns[format.name] else { continue }
            patterns.append(StringPattern(format: known.pattern, path: format.path))
        }
        let isBounded = least > 0 || most != nil
        guard shape.choices.isEmpty, shape.exclusions.isEmpty, patterns.allSatisfy({ !$0.isNegated }),
            patterns.count + (isBounded ? 1 : 0) <= 1
        else { throw shape.path.error("cannot be enforced in this model's format of calls") }
        if let pattern = patterns.first { return try pattern.part(&builder, write: Self.bare) }
        guard isBounded else { return .times(Self.bare(.all), least: 0, most: nil) }
        guard least <= most ?? .max else {
            builder.noteEmpty(shape.path.error("allows no string: minLength is greater than maxLength"))
            return .choice([])
        }
        return .times(try builder.rule(Self.bare(.all)), least: least, most: most)
    }
}
