import Basics
import JSON

// Arrays with unique elements. Each value is written in a single way, so that values differ if and only if their texts do.

extension JSONSchemaGrammar {
    /// Maximum number of elements of an array with unique elements.
    static let mostUnique = 1_000
    /// Maximum depth of characters that are examined to count the possible elements.
    private static let mostLevels = 2_000

    mutating func uniqueElements(
        _ conjuncts: [SchemaConjunct], least: Int, most: Int?, _ path: SchemaPath
    ) throws(GrammarError) -> Part {
        let list = try distinctList(of: conjuncts, least: least, most: most, path) { element, _ in element }
        return try builder.rule(.sequence([.text("["), list, .text("]")]))
    }

    /// Items with commas between them and white space around them; the distinct part of each is different from that of the
    /// others.
    ///
    /// - Parameter item: made of the distinct part and white space.
    mutating func distinctList(
        of conjuncts: [SchemaConjunct], least: Int, most: Int?, _ path: SchemaPath, item: (Part, Part) -> Part
    ) throws(GrammarError) -> Part {
        let shape = try shape(of: conjuncts)
        // When no other element is possible, the array must already be long enough.
        let count = try countUnique(shape, upTo: min(most ?? .max, Self.mostUnique), path)
        guard least <= count else {
            guard count < Self.mostUnique else {
                throw path.error("cannot be enforced for more than \(Self.mostUnique) elements")
            }
            builder.noteEmpty(path.error("allows nothing: there are only \(count) different elements"))
            return .choice([])
        }
        if count == 0 { return json.space }
        let item = item(Part.distinct(try uniqueElement(shape, path)), json.space)
        let list = Part.list(
            first: .sequence([json.space, item]), then: .sequence([.text(","), json.space, item]), least: least,
            most: count)
        return .sequence([list, json.space])
    }

    /// The number of different elements, at most `most`.
    private mutating func countUnique(
        _ shape: SchemaShape, upTo most: Int, _ path: SchemaPath
    ) throws(GrammarError) -> Int {
        var elements = GrammarBuilder()
        swap(&elements, &builder)
        let grammar: Grammar
        do throws(GrammarError) {
            defer { swap(&elements, &builder) }
            let root = try uniqueElement(shape, path)
            grammar = try builder.finish(root: root)
        } catch {
            guard error.kind == .allowsNothing else { throw error }
            return 0
        }
        var automaton = GrammarAutomaton(grammar)
        try builder.visit(most)
        // Different prefixes of the same length belong to different texts, at least one each.
        var (beginnings, found, work) = ([GrammarAutomaton.State](), 0, 0)
        do throws(GrammarLimit) {
            beginnings = [try automaton.start()]
            for _ in 0..<Self.mostLevels where !beginnings.isEmpty && found + beginnings.count < most {
                work += 1 + beginnings.count / 4
                guard work <= GrammarBuilder.mostVisits else { break }
                if Cancellation.isRequested { break }
                var next: [GrammarAutomaton.State] = []
                for state in beginnings where found + next.count < most {
                    for bytes in automaton.classes.members where found + next.count < most {
                        let target = try automaton.step(state, bytes[0]).next
                        guard target != GrammarAutomaton.dead else { continue }
                        if automaton.accepts(target) { found += bytes.count }
                        if !automaton.isFinal(target) { next += repeatElement(target, count: bytes.count) }
                    }
                }
                beginnings = next
            }
        } catch {
            throw path.error(error.description)
        }
        try builder.visit(work)
        return min(found + beginnings.count, most)
    }

    /// An element, written in a single way.
    private mutating func uniqueElement(_ shape: SchemaShape, _ path: SchemaPath) throws(GrammarError) -> Part {
        if shape.values != nil {
            var texts: [Part] = []
            var written: Set<[UInt8]> = []
            for value in try valid(shape.values ?? [], shape) {
                guard value.array == nil, value.object == nil else { throw Self.notComparable(path) }
                let text = DecimalNumber(value)?.text ?? value.serialized
                if written.insert(text).inserted { texts.append(.literal(text)) }
            }
            return try builder.rule(.choice(texts), isLexeme: true)
        }
        if let choice = shape.choices.first {
            guard !choice.isExact else { throw path.error("cannot be enforced together with 'oneOf'") }
            var parts: [Part] = []
            for branch in choice.branches {
                var rest = shape
                rest.choices.removeFirst()
                try add(branch, to: &rest)
                parts.append(try uniqueElement(rest, path))
            }
            return .choice(parts)
        }
        let types = shape.effectiveTypes
        guard shape.exclusions.isEmpty, types.isDisjoint(with: [.array, .object]) else {
            throw Self.notComparable(path)
        }
        var parts: [Part] = []
        if types.contains(.string) { parts.append(try string(shape, isCanonical: true)) }
        if types.contains(.boolean) { parts += [.text("true"), .text("false")] }
        if types.contains(.null) { parts.append(.text("null")) }
        if !types.isDisjoint(with: .number) { parts.append(try uniqueNumber(shape, path)) }
        return try builder.rule(.choice(parts), isLexeme: true)
    }

    private mutating func uniqueNumber(_ shape: SchemaShape, _ path: SchemaPath) throws(GrammarError) -> Part {
        if !shape.effectiveTypes.contains(.fraction) {
            guard let multiples = shape.multiples else { return shape.numbers.integers }
            return try multiples.part(in: shape.numbers, isInteger: true, &builder)
        }
        guard shape.effectiveTypes.contains(.integer), shape.multiples == nil else { throw Self.notComparable(path) }
        let patterns = [
            StringPattern(part: shape.numbers.numbers, path: path),
            StringPattern(format: "-?[0-9]+(?:\\.[0-9]*[1-9])?", path: path),
        ]
        return try StringIntersection.part(patterns, least: 0, most: nil, &builder)
    }

    private static func notComparable(_ path: SchemaPath) -> GrammarError {
        path.error("cannot be enforced unless the elements are strings, numbers or given values")
    }
}

extension DecimalNumber {
    /// The only notation without an exponent.
    fileprivate var text: [UInt8] {
        var text: [UInt8] = isNegative ? [UInt8(ascii: "-")] : []
        text += whole.isEmpty ? [0x30] : whole.map { $0 + 0x30 }
        if !fraction.isEmpty { text += [UInt8(ascii: ".")] + fraction.map { $0 + 0x30 } }
        return text
    }
}
