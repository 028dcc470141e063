import JSON

// The difference of two schemas: for `not`, and for `oneOf`, where no two alternatives may hold.

extension JSONSchemaGrammar {
    /// Shapes that together allow the values of a shape that do not conform to another one.
    struct Remainder {
        var shapes: [SchemaShape]
        /// Whether no value conforms to both.
        var isWhole: Bool
    }

    private static let mostExcludedNumbers = 16
    /// Maximum number of alternatives for one exclusion; if there are more, one is used.
    private static let mostPieces = 3

    /// Whether no value conforms to both of two schemas; may return false although none does.
    mutating func areDisjoint(
        _ one: [SchemaConjunct], _ other: [SchemaConjunct], _ path: SchemaPath
    ) throws(GrammarError) -> Bool {
        try areDisjoint(try shape(of: one), try shape(of: other), path)
    }

    private mutating func areDisjoint(
        _ one: SchemaShape, _ other: SchemaShape, _ path: SchemaPath
    ) throws(GrammarError) -> Bool {
        try enter(path)
        defer { leave() }
        try builder.visit()
        if one.values == nil, let choice = one.choices.first {
            for branch in choice.branches {
                var shape = one
                shape.choices.removeFirst()
                try add(branch, to: &shape)
                guard try areDisjoint(shape, other, path) else { return false }
            }
            return true
        }
        do throws(GrammarError) {
            return try remainder(of: one, without: other, path).isWhole
        } catch {
            guard !error.isLimit else { throw error }
            return false
        }
    }

    /// - Parameter path: the path of the keyword that excludes.
    /// - Throws: `GrammarError` if the two cannot be separated.
    mutating func remainder(
        of shape: SchemaShape, without other: SchemaShape, _ path: SchemaPath
    ) throws(GrammarError) -> Remainder {
        try enter(path)
        defer { leave() }
        try builder.visit()
        if let values = shape.values {
            var left: [JSONValue] = []
            for value in values where try !isValid(value, other.sources) { left.append(value) }
            var result = shape
            result.values = left
            return Remainder(shapes: left.isEmpty ? [] : [result], isWhole: left.count == values.count)
        }
        if other.values == nil, let choice = other.choices.first {
            var rest = other
            rest.choices.removeFirst()
            var left = Remainder(shapes: [shape], isWhole: true)
            for branch in choice.branches {
                var other = rest
                try add(branch, to: &other)
                var next: [SchemaShape] = []
                for shape in left.shapes {
                    let remainder = try remainder(of: shape, without: other, path)
                    next += remainder.shapes
                    if !remainder.isWhole { left.isWhole = false }
                }
                left.shapes = next
            }
            return left
        }
        if other.values == nil, let exclusion = other.exclusions.first {
            // A double exclusion allows the values.
            var rest = other
            rest.exclusions.removeFirst()
            var left = try remainder(of: shape, without: rest, path)
            guard !left.isWhole else { return left }
            var both = shape
            try add(exclusion, to: &both)
            left.shapes.append(both)
            return left
        }
        return try typedRemainder(of: shape, without: other, path)
    }

    private mutating func typedRemainder(
        of shape: SchemaShape, without other: SchemaShape, _ path: SchemaPath
    ) throws(GrammarError) -> Remainder {
        let mine = shape.effectiveTypes
        let values: [JSONValue]? = if let values = other.values { try valid(values, other) } else { nil }
        let theirs = values.map { $0.reduce(into: []) { $0.formUnion(SchemaShape.Types(of: $1)) } } ?? other.types
        let common = mine.intersection(theirs)
        guard !common.isEmpty else { return Remainder(shapes: [shape], isWhole: true) }
        let kept = mine.subtracting(theirs)
        var result = Remainder(shapes: kept.isEmpty ? [] : [shape.with(kept)], isWhole: true)
        func take(_ remainder: Remainder) {
            result.shapes += remainder.shapes
            if !remainder.isWhole { result.isWhole = false }
        }
        if common.contains(.null) { result.isWhole = false }
        if common.contains(.boolean) {
            var rest = shape.with(.boolean)
            let left = [true, false].map(JSONValue.bool).filter { !(values?.contains($0) ?? true) }
            (rest.values, rest.valuesPath) = (left, path)
            take(Remainder(shapes: left.isEmpty ? [] : [rest], isWhole: false))
        }
        let numbers = common.intersection(.number)
        if !numbers.isEmpty { take(try numberRemainder(of: shape.with(numbers), without: other, values, path)) }
        if common.contains(.string) {
            take(try stringRemainder(of: shape.with(.string), without: other, values, path))
        }
        if common.contains(.array) {
            guard values == nil else { throw Self.inseparable(path) }
            take(try arrayRemainder(of: shape.with(.array), without: other, path))
        }
        if common.contains(.object) {
            guard values == nil else { throw Self.inseparable(path) }
            take(try objectRemainder(of: shape.with(.object), without: other, path))
        }
        if result.isWhole, !common.contains(.object) { result.shapes = [shape] }
        return result
    }

    private static func inseparable(_ path: SchemaPath) -> GrammarError {
        path.error("cannot be enforced: what it excludes cannot be told apart from what is allowed")
    }

    // MARK: Types

    private func numberRemainder(
        of shape: SchemaShape, without other: SchemaShape, _ values: [JSONValue]?, _ path: SchemaPath
    ) throws(GrammarError) -> Remainder {
        var pieces: [SchemaShape] = []
        func add(low: NumberRange.Bound?, high: NumberRange.Bound?) {
            var piece = shape
            piece.restrictions += 1
            if let low { piece.numbers.raise(low) }
            if let high { piece.numbers.lower(high) }
            if !piece.numbers.isEmpty { pieces.append(piece) }
        }
        if let values {
            let numbers = Set(values.compactMap { DecimalNumber($0) }).filter(shape.numbers.contains).sorted()
            guard !numbers.isEmpty else { return Remainder(shapes: [shape], isWhole: true) }
            guard numbers.count <= Self.mostExcludedNumbers else { throw Self.inseparable(path) }
            var low: NumberRange.Bound?
            for number in numbers {
                let bound = NumberRange.Bound(value: number, isOpen: true)
                add(low: low, high: bound)
                low = bound
            }
            add(low: low, high: nil)
            return Remainder(shapes: pieces, isWhole: false)
        }
        var both = shape.numbers
        if let low = other.numbers.low { both.raise(low) }
        if let high = other.numbers.high { both.lower(high) }
        if both.isEmpty { return Remainder(shapes: [shape], isWhole: true) }
        if let low = other.numbers.low {
            add(low: nil, high: NumberRange.Bound(value: low.value, isOpen: !low.isOpen))
        }
        if let high = other.numbers.high {
            add(low: NumberRange.Bound(value: high.value, isOpen: !high.isOpen), high: nil)
        }
        if pieces.isEmpty, other.multiples != nil { throw Self.inseparable(path) }
        return Remainder(shapes: pieces, isWhole: false)
    }

    private mutating func stringRemainder(
        of shape: SchemaShape, without other: SchemaShape, _ values: [JSONValue]?, _ path: SchemaPath
    ) throws(GrammarError) -> Remainder {
        var pieces: [SchemaShape] = []
        func add(_ change: (inout SchemaShape.Strings) -> Void) {
            var piece = shape
            piece.restrictions += 1
            change(&piece.strings)
            pieces.append(piece)
        }
        if let values {
            add { $0.patterns.append(StringPattern(texts: values.compactMap(\.string), path: path)) }
            return Remainder(shapes: pieces, isWhole: false)
        }
        // Many validators treat formats as annotations: values that a format excludes may be valid.
        let (one, two) = (shape.strings, other.strings)
        if one.most ?? .max < two.least || two.most ?? .max < one.least {
            return Remainder(shapes: [shape], isWhole: true)
        }
        if two.least > 0 { add { $0.most = min($0.most ?? .max, two.least - 1) } }
        if let most = two.most { add { $0.least = max($0.least, most + 1) } }
        for pattern in two.patterns { add { $0.patterns.append(pattern.negated) } }
        return Remainder(shapes: pieces.filter { $0.strings.most ?? .max >= $0.strings.least }, isWhole: false)
    }

    private mutating func arrayRemainder(
        of shape: SchemaShape, without other: SchemaShape, _ path: SchemaPath
    ) throws(GrammarError) -> Remainder {
        let (one, two) = (shape.arrays, other.arrays)
        if one.most ?? .max < two.least || two.most ?? .max < one.least {
            return Remainder(shapes: [shape], isWhole: true)
        }
        var pieces: [SchemaShape] = []
        func add(_ change: (inout SchemaShape.Arrays) -> Void) {
            var piece = shape
            piece.restrictions += 1
            change(&piece.arrays)
            pieces.append(piece)
        }
        if two.least > 0 { add { $0.most = min($0.most ?? .max, two.least - 1) } }
        if let most = two.most { add { $0.least = max($0.least, most + 1) } }
        let count = max(1, two.parts.reduce(0) { max($0, $1.prefix.count) })
        for index in 0..<min(count, Self.mostPieces) {
            let theirs = two.parts.flatMap { $0.conjuncts(at: index) }.filter { $0.schema.bool != true }
            guard let schema = theirs.first, theirs.count == 1 else { continue }
            if one.least > index,
                try areDisjoint(one.parts.flatMap { $0.conjuncts(at: index) }, theirs, path)
            {
                return Remainder(shapes: [shape], isWhole: true)
            }
            let excluded = SchemaConjunct(schema: ["not": schema.schema], path: schema.path)
            let any = SchemaConjunct(schema: true, path: path)
            add { arrays in
                arrays.least = max(arrays.least, index + 1)
                arrays.parts.append(.init(prefix: Array(repeating: any, count: index) + [excluded], rest: any))
            }
        }
        pieces.removeAll { $0.arrays.most ?? .max < $0.arrays.least }
        if pieces.isEmpty, two.unique != nil { throw Self.inseparable(path) }
        return Remainder(shapes: pieces, isWhole: false)
    }

    private mutating func objectRemainder(
        of shape: SchemaShape, without other: SchemaShape, _ path: SchemaPath
    ) throws(GrammarError) -> Remainder {
        let theirs = other.objects
        let mine = try names(of: shape)
        let isNamed = Set(mine.map { Array($0.name.utf8) })
        // If the shape names members, other members are not written.
        let isClosed = mine.isEmpty ? try forbids(shape, nil) : true
        var pieces: [SchemaShape] = []
        func absent(_ name: String) throws(GrammarError) -> SchemaShape {
            var piece = shape
            let schema: JSONValue = ["properties": .object(JSONObject(dictionaryLiteral: (name, false)))]
            try add(SchemaConjunct(schema: schema, path: path), to: &piece)
            return piece
        }
        func present(_ name: String) -> SchemaShape {
            var piece = shape
            piece.restrictions += 1
            piece.objects.require(name)
            return piece
        }
        for name in theirs.required where !isNamed.contains(Array(name.utf8)) {
            let isAbsent = isClosed ? true : try forbids(shape, name)
            if isAbsent { return Remainder(shapes: [try absent(name)], isWhole: true) }
        }
        for member in mine {
            let isRequired = shape.objects.isRequired.contains(Array(member.name.utf8))
            let schemas = try conjuncts(of: member.name, in: other)
            let isForbidden = schemas.contains { $0.schema.bool == false }
            guard !schemas.isEmpty else { continue }
            if isForbidden ? true : try areDisjoint(member.conjuncts, schemas, path) {
                if isRequired { return Remainder(shapes: [shape], isWhole: true) }
                pieces.insert(present(member.name), at: 0)
                continue
            }
            for schema in schemas where schema.schema.bool != true {
                var piece = present(member.name)
                let excluded: JSONValue = ["not": schema.schema]
                let properties: JSONValue = .object(JSONObject(dictionaryLiteral: (member.name, excluded)))
                try add(SchemaConjunct(schema: ["properties": properties], path: schema.path), to: &piece)
                pieces.append(piece)
            }
        }
        for name in theirs.required where !shape.objects.isRequired.contains(Array(name.utf8)) {
            pieces.insert(try absent(name), at: 0)
        }
        if theirs.least > 0 {
            var piece = shape
            piece.restrictions += 1
            piece.objects.most = min(piece.objects.most ?? .max, theirs.least - 1)
            pieces.append(piece)
        }
        if let most = theirs.most {
            var piece = shape
            piece.restrictions += 1
            if most + 1 > piece.objects.least { (piece.objects.least, piece.objects.leastPath) = (most + 1, path) }
            pieces.append(piece)
        }
        let says = !theirs.parts.isEmpty || !theirs.names.isEmpty
        if pieces.isEmpty, says { throw Self.inseparable(path) }
        return Remainder(shapes: pieces.count <= Self.mostPieces ? pieces : [pieces[0]], isWhole: false)
    }
}

extension SchemaShape.Arrays.Part {
    func conjuncts(at index: Int) -> [SchemaConjunct] {
        if index < prefix.count { return [prefix[index]] }
        return rest.map { [$0] } ?? []
    }
}
