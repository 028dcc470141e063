/// Numbers between whole bounds, as JSON writes them without an exponent.
struct NumberRange {
    private typealias Part = GrammarBuilder.Part

    /// The lowest and the highest whole number, and whether numbers beyond them, but before the next, count too.
    private let low: (value: Int64, isOpen: Bool)?
    private let high: (value: Int64, isOpen: Bool)?

    /// - Parameters:
    ///   - above, below: bounds that are excluded themselves.
    init(low: Int64?, above: Int64?, high: Int64?, below: Int64?) {
        // The narrower one of each side counts.
        if let above, above >= low ?? .min {
            self.low = (above, true)
        } else {
            self.low = low.map { ($0, false) }
        }
        if let below, below <= high ?? .max {
            self.high = (below, true)
        } else {
            self.high = high.map { ($0, false) }
        }
    }

    /// `nil`: there are none.
    var integers: GrammarBuilder.Part? {
        choice(
            of: parts { low, high in
                [JSONGrammar.integer(from: low, to: high)]
            } fraction: { _ in
                []
            })
    }

    /// The same with fractions.
    var numbers: GrammarBuilder.Part? {
        let digits = GrammarBuilder.Part.bytes(ByteSet(0x30...0x39))
        let zeros = GrammarBuilder.Part.optional(.sequence([.text("."), .times(.text("0"), least: 1, most: 17)]))
        // More than the number before the point, and less than the next.
        let something = GrammarBuilder.Part.sequence([
            .text("."), .times(.text("0"), least: 0, most: 8), .bytes(ByteSet(0x31...0x39)),
            .times(digits, least: 0, most: 8),
        ])
        return choice(
            of: parts { low, high in
                // Whole numbers, each with zeros behind the point; between them everything.
                var parts = [GrammarBuilder.Part.sequence([JSONGrammar.integer(from: low, to: high), zeros])]
                if high.map({ $0 > low }) ?? true {
                    parts.append(.sequence([JSONGrammar.integer(from: low, to: high.map { $0 - 1 }), something]))
                }
                return parts
            } fraction: { whole in
                [.sequence([JSONGrammar.integer(from: whole, to: whole), something])]
            })
    }

    private func choice(of parts: [GrammarBuilder.Part]) -> GrammarBuilder.Part? {
        parts.isEmpty ? nil : parts.count == 1 ? parts[0] : .choice(parts)
    }

    /// The parts for magnitudes from one number to another, of both signs.
    private func parts(
        between: (UInt64, UInt64?) -> [GrammarBuilder.Part], fraction: (UInt64) -> [GrammarBuilder.Part]
    ) -> [GrammarBuilder.Part] {
        let lowest = low.map { $0.isOpen ? $0.value + 1 : $0.value }
        let highest = high.map { $0.isOpen ? $0.value - 1 : $0.value }
        var all: [GrammarBuilder.Part] = []
        if highest ?? 0 >= 0, lowest ?? 0 <= highest ?? .max {
            all += between(UInt64(max(lowest ?? 0, 0)), highest.map(UInt64.init))
        }
        if lowest ?? -1 < 0, lowest ?? .min <= highest ?? 0 {
            let least = UInt64(max(-(highest ?? -1), 1))
            all += between(least, lowest.map { UInt64(-$0) }).map { .sequence([.text("-"), $0]) }
            // Between minus one and zero; with fractions only.
            if highest ?? 0 >= 0 { all += fraction(0).map { .sequence([.text("-"), $0]) } }
        }
        // Between an excluded bound and the next whole number.
        if let low, low.isOpen, highest ?? .max >= low.value || high?.isOpen == true && high?.value == low.value + 1 {
            if low.value >= 0 { all += fraction(UInt64(low.value)) }
            if low.value < 0 { all += fraction(UInt64(-low.value - 1)).map { .sequence([.text("-"), $0]) } }
        }
        if let high, high.isOpen, lowest ?? .min < high.value {
            if high.value > 0 { all += fraction(UInt64(high.value - 1)) }
            if high.value <= 0 { all += fraction(UInt64(-high.value)).map { .sequence([.text("-"), $0]) } }
        }
        return all
    }
}
