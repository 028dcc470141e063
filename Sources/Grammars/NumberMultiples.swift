/// Multiples of a number, `multipleOf`: of `unit` / 10^`places`.
struct NumberMultiples: Sendable, Hashable {
    typealias Part = GrammarBuilder.Part

    private(set) var unit: Int
    private(set) var places: Int

    /// Units up to this value become a grammar of remainders; for greater ones the first multiples are listed.
    private static let mostRemainders = 64
    private static let mostListed = 500
    /// Maximum number of digits after the point, if any number is allowed.
    private static let mostPlaces = 6
    private static let mostUnit = 1_000_000_000_000

    /// `nil` if the number is not above zero or has too many digits.
    init?(_ number: DecimalNumber) {
        guard !number.isNegative, !number.isZero else { return nil }
        let digits = number.scaled(number.fraction.count).digits
        guard digits.count <= 12, let unit = Int(digits.map(String.init).joined()) else { return nil }
        (self.unit, places) = (unit, number.fraction.count)
    }

    /// The common multiples; `nil` if their unit has too many digits.
    func intersection(_ other: NumberMultiples) -> NumberMultiples? {
        guard let one = scaled(to: max(places, other.places)), let two = other.scaled(to: max(places, other.places))
        else { return nil }
        let (product, overflows) = (one.unit / Self.commonDivisor(one.unit, two.unit)).multipliedReportingOverflow(
            by: two.unit)
        guard !overflows, product <= Self.mostUnit else { return nil }
        var result = one
        result.unit = product
        return result
    }

    private func scaled(to places: Int) -> NumberMultiples? {
        var result = self
        while result.places < places {
            guard result.unit <= Self.mostUnit / 10 else { return nil }
            result.unit *= 10
            result.places += 1
        }
        return result
    }

    private static func commonDivisor(_ one: Int, _ other: Int) -> Int {
        var (a, b) = (one, other)
        while b != 0 { (a, b) = (b, a % b) }
        return a
    }

    /// The whole numbers among them are the multiples of this unit.
    private var wholeUnit: Int {
        var unit = unit
        for _ in 0..<places {
            if unit % 10 == 0 { unit /= 10 } else if unit % 5 == 0 { unit /= 5 } else if unit % 2 == 0 { unit /= 2 }
        }
        return unit
    }

    /// The multiples in a range.
    func part(
        in range: NumberRange, isInteger: Bool, _ builder: inout GrammarBuilder
    ) throws(GrammarError) -> Part {
        let (positive, negative) = range.signs
        var choices: [Part] = []
        if let positive { choices.append(try magnitudes(positive, isInteger: isInteger, &builder)) }
        if let negative {
            choices.append(.sequence([.text("-"), try magnitudes(negative, isInteger: isInteger, &builder)]))
        }
        return .choice(choices)
    }

    private func magnitudes(
        _ range: NumberRange, isInteger: Bool, _ builder: inout GrammarBuilder
    ) throws(GrammarError) -> Part {
        let whole = wholeUnit
        var choices: [Part] = []
        if let bounds = range.wholeMagnitudes(places: 0) {
            choices.append(
                whole == 1 ? NumberDigits.integer(bounds) : try multiples(of: whole, bounds, places: 0, &builder))
        }
        guard !isInteger, places > 0 else { return .choice(choices) }
        if unit == 1 {
            // With more digits, rounding by a reader might change the value.
            let places = min(places, Self.mostPlaces)
            let limit = DecimalNumber(digits: [1], scale: places - NumberRange.exactDigits)
            var exact = range
            exact.lower(NumberRange.Bound(value: limit, isOpen: true))
            return exact.isEmpty ? .choice(choices) : exact.numbers(places: places)
        }
        if places <= 30, let bounds = range.wholeMagnitudes(places: places) {
            choices.append(try multiples(of: unit, bounds, places: places, &builder))
        }
        return .choice(choices)
    }

    private func multiples(
        of unit: Int, _ bounds: (low: [UInt8], high: [UInt8]?), places: Int, _ builder: inout GrammarBuilder
    ) throws(GrammarError) -> Part {
        let listed = Self.listed(of: unit, bounds, places: places)
        if unit > Self.mostRemainders || listed.count < Self.mostListed {
            try builder.visit(listed.count)
            return .choice(listed)
        }
        var writer = RemainderWriter(unit: unit, places: places)
        return try writer.part(bounds, &builder)
    }

    /// The first multiples in a range; none if they have too many digits.
    private static func listed(
        of unit: Int, _ bounds: (low: [UInt8], high: [UInt8]?), places: Int
    ) -> [Part] {
        guard bounds.low.count <= 17 else { return [] }
        let low = bounds.low.reduce(0) { $0 * 10 + Int($1) }
        let high = bounds.high.flatMap { $0.count <= 17 ? $0.reduce(0) { $0 * 10 + Int($1) } : nil } ?? .max
        var value = (low + unit - 1) / unit * unit
        var parts: [Part] = []
        while value <= high, parts.count < mostListed {
            let digits = Array(String(value).utf8)
            let padded = [UInt8](repeating: 0x30, count: max(places + 1 - digits.count, 0)) + digits
            let point: [UInt8] = places > 0 ? [UInt8(ascii: ".")] : []
            parts.append(.literal(Array(padded.dropLast(places)) + point + padded.suffix(places)))
            value += unit
        }
        return parts
    }
}

/// Writes the multiples of a small unit digit by digit, tracking the remainder of the digits so far.
private struct RemainderWriter {
    typealias Part = GrammarBuilder.Part

    struct State: Hashable {
        var count: Int
        var remainder: Int
    }

    let unit: Int
    /// Digits after the point.
    let places: Int
    private var rules: [State: Part] = [:]

    init(unit: Int, places: Int) {
        (self.unit, self.places) = (unit, places)
    }

    mutating func part(
        _ bounds: (low: [UInt8], high: [UInt8]?), _ builder: inout GrammarBuilder
    ) throws(GrammarError) -> Part {
        // Shorter numbers are padded with zeros up to the digit before the point.
        let least = max(bounds.low.count, places + 1)
        let most = max(min(bounds.high?.count ?? .max, NumberRange.exactDigits), least)
        var choices: [Part] = []
        for count in least...most {
            let isFirst = count == places + 1
            var low = [UInt8](repeating: 0, count: count)
            if !isFirst { low[0] = 1 }
            if count == least {
                low = [UInt8](repeating: 0, count: count - bounds.low.count) + bounds.low
                if !isFirst, low[0] == 0 { low[0] = 1 }
            }
            var high = [UInt8](repeating: 9, count: count)
            if let bound = bounds.high, bound.count <= count {
                high = [UInt8](repeating: 0, count: count - bound.count) + bound
            }
            guard !high.lexicographicallyPrecedes(low) else { continue }
            choices.append(try digits(low[...], high[...], 0, &builder))
        }
        return .choice(choices)
    }

    private func next(_ remainder: Int, _ digit: UInt8) -> Int { (remainder * 10 + Int(digit)) % unit }

    /// A digit, preceded by the point at its position.
    private func text(_ digit: UInt8, behind count: Int) -> Part {
        places > 0 && count == places ? .literal([UInt8(ascii: "."), digit + 0x30]) : .literal([digit + 0x30])
    }

    private mutating func digits(
        _ low: ArraySlice<UInt8>?, _ high: ArraySlice<UInt8>?, _ remainder: Int, _ builder: inout GrammarBuilder
    ) throws(GrammarError) -> Part {
        let count = (low ?? high)?.count ?? 0
        guard count > 0 else { return remainder == 0 ? .nothing : .choice([]) }
        let (from, to) = (low?.first ?? 0, high?.first ?? 9)
        var choices: [Part] = []
        for digit in from...to {
            let rest = next(remainder, digit)
            let (isLow, isHigh) = (low != nil && digit == from, high != nil && digit == to)
            let tail =
                isLow || isHigh
                ? try digits(isLow ? low?.dropFirst() : nil, isHigh ? high?.dropFirst() : nil, rest, &builder)
                : try free(State(count: count - 1, remainder: rest), &builder)
            choices.append(.sequence([text(digit, behind: count), tail]))
        }
        return choices.count == 1 ? choices[0] : .choice(choices)
    }

    /// This many digits such that the remainder becomes zero.
    private mutating func free(_ state: State, _ builder: inout GrammarBuilder) throws(GrammarError) -> Part {
        guard state.count > 0 else { return state.remainder == 0 ? .nothing : .choice([]) }
        if let rule = rules[state] { return rule }
        var choices: [Part] = []
        for digit in UInt8(0)...9 {
            let tail = try free(State(count: state.count - 1, remainder: next(state.remainder, digit)), &builder)
            choices.append(.sequence([text(digit, behind: state.count), tail]))
        }
        let rule = try builder.rule(.choice(choices))
        rules[state] = rule
        return rule
    }
}
