/// Whole numbers as sequences of digits: values 0 to 9, no leading zeros, empty for zero.
enum NumberDigits {
    typealias Part = GrammarBuilder.Part

    /// Whole numbers from `low` to `high`, or with somewhat more digits than `low` if there is no upper bound.
    static func integer(_ bounds: (low: [UInt8], high: [UInt8]?)) -> Part {
        let (low, high) = bounds
        let digit = Part.bytes(ByteSet(0x30...0x39))
        var choices: [Part] = []
        if low.isEmpty { choices.append(.text("0")) }
        let least = max(low.count, 1)
        let first = low.isEmpty ? [1] : low
        guard let high else {
            let most = max(NumberRange.mostDigits, low.count + 2)
            choices.append(digits(first, [UInt8](repeating: 9, count: least)))
            if least < most {
                choices.append(
                    .sequence([.bytes(ByteSet(0x31...0x39)), .times(digit, least: least, most: most - 1)]))
            }
            return .choice(choices)
        }
        guard high.count >= least else { return .choice(choices) }
        for count in least...high.count {
            let start = count == least ? first : [1] + [UInt8](repeating: 0, count: count - 1)
            let end = count == high.count ? high : [UInt8](repeating: 9, count: count)
            if WholeDigits.isAtMost(start, end) { choices.append(digits(start, end)) }
        }
        return choices.count == 1 ? choices[0] : .choice(choices)
    }

    /// Numbers from `low` to `high`, which have the same number of digits.
    private static func digits(_ low: [UInt8], _ high: [UInt8]) -> Part {
        split(low[...], high[...]) { range, count in
            let head = Part.bytes(ByteSet(range.lowerBound + 0x30...range.upperBound + 0x30))
            let digit = Part.bytes(ByteSet(0x30...0x39))
            return count == 0 ? head : .sequence([head, .times(digit, least: count, most: count)])
        }
    }

    /// Splits the numbers from `low` to `high` into groups of a prefix, one digit from a range, and any digits.
    ///
    /// - Parameter free: the part for a digit from a range and this many free digits after it.
    private static func split(
        _ low: ArraySlice<UInt8>, _ high: ArraySlice<UInt8>, _ free: (ClosedRange<UInt8>, Int) -> Part
    ) -> Part {
        guard let first = low.first, let last = high.first else { return .nothing }
        let (lowTail, highTail) = (low.dropFirst(), high.dropFirst())
        if lowTail.isEmpty { return free(first...last, 0) }
        let nines = [UInt8](repeating: 9, count: lowTail.count)[...]
        let zeros = [UInt8](repeating: 0, count: lowTail.count)[...]
        func literal(_ digit: UInt8) -> Part { .literal([digit + 0x30]) }
        if first == last, !(lowTail.elementsEqual(zeros) && highTail.elementsEqual(nines)) {
            return .sequence([literal(first), split(lowTail, highTail, free)])
        }
        var choices: [Part] = []
        var (from, to) = (Int(first), Int(last))
        if !lowTail.elementsEqual(zeros) {
            choices.append(.sequence([literal(first), split(lowTail, nines, free)]))
            from += 1
        }
        if !highTail.elementsEqual(nines) {
            choices.append(.sequence([literal(last), split(zeros, highTail, free)]))
            to -= 1
        }
        if from <= to { choices.append(free(UInt8(from)...UInt8(to), lowTail.count)) }
        return choices.count == 1 ? choices[0] : .choice(choices)
    }
}
