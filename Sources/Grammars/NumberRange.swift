/// Numbers between bounds, as JSON writes them without an exponent. The grammar compares digits, so bounds of any size and
/// precision are exact.
struct NumberRange: Sendable {
    typealias Part = GrammarBuilder.Part

    struct Bound: Sendable, Hashable {
        var value: DecimalNumber
        /// Whether the bound itself is excluded.
        var isOpen: Bool
    }

    /// Maximum number of digits without a bound, so that every number ends.
    static let mostDigits = 17
    /// Digits that a double preserves: with more, rounding by a reader might cross a bound.
    static let exactDigits = 15

    private(set) var low: Bound?
    private(set) var high: Bound?

    var isUnbounded: Bool { low == nil && high == nil }

    mutating func raise(_ bound: Bound) {
        guard let low else {
            low = bound
            return
        }
        if low.value < bound.value || low.value == bound.value && bound.isOpen { self.low = bound }
    }

    mutating func lower(_ bound: Bound) {
        guard let high else {
            high = bound
            return
        }
        if bound.value < high.value || bound.value == high.value && bound.isOpen { self.high = bound }
    }

    var isEmpty: Bool {
        guard let low, let high else { return false }
        return high.value < low.value || high.value == low.value && (low.isOpen || high.isOpen)
    }

    func contains(_ value: DecimalNumber) -> Bool {
        if let low, value < low.value || value == low.value && low.isOpen { return false }
        if let high, high.value < value || value == high.value && high.isOpen { return false }
        return true
    }

    /// The range of magnitudes of the non-negative numbers, and of the negative ones; `nil` if there are none.
    var signs: (positive: NumberRange?, negative: NumberRange?) {
        let zero = Bound(value: .zero, isOpen: false)
        var (positive, negative) = (NumberRange?.none, NumberRange?.none)
        if high.map({ !$0.value.isNegative && !($0.value.isZero && $0.isOpen) }) ?? true {
            positive = NumberRange(low: low.flatMap { $0.value.isNegative ? nil : $0 } ?? zero, high: high)
        }
        if low.map(\.value.isNegative) ?? true {
            let least = high.flatMap { $0.value.isNegative ? Bound(value: $0.value.magnitude, isOpen: $0.isOpen) : nil }
            negative = NumberRange(
                low: least ?? Bound(value: .zero, isOpen: true),
                high: low.map { Bound(value: $0.value.magnitude, isOpen: $0.isOpen) })
        }
        return (positive.flatMap { $0.isEmpty ? nil : $0 }, negative.flatMap { $0.isEmpty ? nil : $0 })
    }

    /// The whole numbers of the range; an empty choice if there are none.
    var integers: Part { signed { $0.wholeMagnitudes(places: 0).map(NumberDigits.integer) ?? .choice([]) } }

    /// The same with fractions.
    var numbers: Part { signed { $0.magnitudes } }

    /// Numbers with at most `places` digits after the point.
    func numbers(places: Int) -> Part { signed { $0.magnitudes(places: places, isStrict: true) } }

    func signed(_ part: (NumberRange) -> Part) -> Part {
        let (positive, negative) = signs
        var choices: [Part] = []
        if let positive { choices.append(part(positive)) }
        if let negative { choices.append(.sequence([.text("-"), part(negative)])) }
        return choices.count == 1 ? choices[0] : .choice(choices)
    }
}

// MARK: Magnitudes

extension NumberRange {
    /// The lowest and the highest whole number of the magnitudes times 10^places; `nil` if there are none.
    func wholeMagnitudes(places: Int) -> (low: [UInt8], high: [UInt8]?)? {
        var (least, most) = ([UInt8](), [UInt8]?.none)
        if let low {
            let (digits, isExact) = low.value.scaled(places)
            least = isExact && !low.isOpen ? digits : WholeDigits.successor(digits)
        }
        if let high {
            let (digits, isExact) = high.value.scaled(places)
            guard let top = isExact && high.isOpen ? WholeDigits.predecessor(digits) : digits else { return nil }
            most = top
        }
        guard let most else { return (least, nil) }
        return WholeDigits.isAtMost(least, most) ? (least, most) : nil
    }

    private var magnitudes: Part {
        let digits = max(low?.value.whole.count ?? 0, high?.value.whole.count ?? 0)
        return magnitudes(places: max(0, Self.exactDigits - digits), isStrict: false)
    }

    /// - Parameter isStrict: whether the limit also applies to numbers below one.
    private func magnitudes(places: Int, isStrict: Bool) -> Part {
        let first = low?.value.whole ?? []
        var choices: [Part] = []
        func add(_ whole: (low: [UInt8], high: [UInt8]?), _ fraction: FractionRange) {
            let tail = fraction.part
            choices.append(.sequence([NumberDigits.integer(whole), tail]))
        }
        // Tiny bounds have more digits, but few significant ones.
        func room(_ whole: [UInt8], _ bounds: [UInt8]...) -> Int {
            whole.isEmpty && places > 0 && !isStrict ? max(places, bounds.reduce(0) { max($0, $1.count) } + 2) : places
        }
        let lowFraction = low.map { FractionRange.Bound(digits: $0.value.fraction, isOpen: $0.isOpen) }
        guard let high else {
            add(
                (first, first), FractionRange(low: lowFraction, high: nil, room: room(first, low?.value.fraction ?? []))
            )
            add((WholeDigits.successor(first), nil), FractionRange(low: nil, high: nil, room: places))
            return .choice(choices)
        }
        let last = high.value.whole
        let highFraction = FractionRange.Bound(digits: high.value.fraction, isOpen: high.isOpen)
        if first == last {
            let room = room(first, low?.value.fraction ?? [], high.value.fraction)
            add((first, first), FractionRange(low: lowFraction, high: highFraction, room: room))
            return choices[0]
        }
        add((first, first), FractionRange(low: lowFraction, high: nil, room: room(first, low?.value.fraction ?? [])))
        add((last, last), FractionRange(low: nil, high: highFraction, room: room(last, high.value.fraction)))
        let next = WholeDigits.successor(first)
        if let before = WholeDigits.predecessor(last), WholeDigits.isAtMost(next, before) {
            add((next, before), FractionRange(low: nil, high: nil, room: places))
        }
        return .choice(choices)
    }
}

/// The part after the digits before the point: nothing, or a point and digits, between bounds.
private struct FractionRange {
    struct Bound {
        var digits: [UInt8]
        var isOpen: Bool
    }

    var low: Bound?
    var high: Bound?
    /// Maximum number of digits.
    var room: Int

    var part: NumberRange.Part {
        var choices: [NumberRange.Part] = []
        if mayBeNothing(low, high) { choices.append(.nothing) }
        if room > 0 { choices.append(.sequence([.text("."), digits(low, high, room, isFirst: true)])) }
        return choices.count == 1 ? choices[0] : .choice(choices)
    }

    /// Whether the number may end here within the bounds.
    private func mayBeNothing(_ low: Bound?, _ high: Bound?) -> Bool {
        if let low, low.isOpen || !low.digits.isEmpty { return false }
        if let high, high.isOpen && high.digits.isEmpty { return false }
        return true
    }

    /// The following digits within bounds, of which some may have been met already (`nil`).
    private func digits(_ low: Bound?, _ high: Bound?, _ room: Int, isFirst: Bool) -> NumberRange.Part {
        var low = low
        if let bound = low, bound.digits.isEmpty, !bound.isOpen { low = nil }
        let any = NumberRange.Part.bytes(ByteSet(0x30...0x39))
        if low == nil, high == nil { return .times(any, least: isFirst ? 1 : 0, most: room) }
        if let high, high.digits.isEmpty {
            // Only zeros do not exceed the bound.
            guard !high.isOpen, low == nil else { return .choice([]) }
            return .times(.text("0"), least: isFirst ? 1 : 0, most: room)
        }
        if let bound = low, bound.digits.isEmpty, high == nil {
            // Any digits except only zeros.
            let zeros = room / 2
            return .sequence([
                .times(.text("0"), least: 0, most: zeros), .bytes(ByteSet(0x31...0x39)),
                .times(any, least: 0, most: max(room - zeros - 1, 0)),
            ])
        }
        var choices: [NumberRange.Part] = []
        if !isFirst, mayBeNothing(low, high) { choices.append(.nothing) }
        guard room > 0 else { return .choice(choices) }
        let from = low.map { $0.digits.first ?? 0 } ?? 0
        let to = high.map { $0.digits.first ?? 0 } ?? 9
        guard from <= to else { return .choice(choices) }
        func add(_ range: ClosedRange<UInt8>, _ low: Bound?, _ high: Bound?) {
            let set = ByteSet(range.lowerBound + 0x30...range.upperBound + 0x30)
            choices.append(.sequence([.bytes(set), digits(low, high, room - 1, isFirst: false)]))
        }
        let nextLow = low.map { Bound(digits: Array($0.digits.dropFirst()), isOpen: $0.isOpen) }
        let nextHigh = high.map { Bound(digits: Array($0.digits.dropFirst()), isOpen: $0.isOpen) }
        if from == to, low != nil, high != nil {
            add(from...to, nextLow, nextHigh)
            return choices.count == 1 ? choices[0] : .choice(choices)
        }
        if low != nil { add(from...from, nextLow, nil) }
        if high != nil { add(to...to, nil, nextHigh) }
        let (first, last) = (low == nil ? Int(from) : Int(from) + 1, high == nil ? Int(to) : Int(to) - 1)
        if first <= last { add(UInt8(first)...UInt8(last), nil, nil) }
        return choices.count == 1 ? choices[0] : .choice(choices)
    }
}
