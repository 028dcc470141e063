/// A set of Unicode characters, as ranges in order.
struct CharacterRanges: Sendable, Hashable {
    private(set) var ranges: [ClosedRange<UInt32>] = []

    init() {}

    init(_ scalar: Unicode.Scalar) { ranges = [scalar.value...scalar.value] }

    init(_ range: ClosedRange<UInt32>) { ranges = [range] }

    /// Every Unicode scalar; surrogates are not characters.
    static let all = {
        var all = CharacterRanges(0...0xD7FF)
        all.formUnion(CharacterRanges(0xE000...0x10FFFF))
        return all
    }()
    static let digits = CharacterRanges(0x30...0x39)
    static let word = union(digits, CharacterRanges(0x41...0x5A), CharacterRanges(0x61...0x7A), CharacterRanges("_"))
    static let lineBreaks = union(CharacterRanges("\n"), CharacterRanges("\r"), CharacterRanges(0x2028...0x2029))
    static let space = union(
        CharacterRanges(0x09...0x0D), CharacterRanges(" "), CharacterRanges(0xA0...0xA0),
        CharacterRanges(0x1680...0x1680),
        CharacterRanges(0x2000...0x200A), CharacterRanges(0x2028...0x2029), CharacterRanges(0x202F...0x202F),
        CharacterRanges(0x205F...0x205F), CharacterRanges(0x3000...0x3000), CharacterRanges(0xFEFF...0xFEFF))

    static let notDigits = all.subtracting(digits)
    static let notWord = all.subtracting(word)
    static let notSpace = all.subtracting(space)
    static let notLineBreaks = all.subtracting(lineBreaks)

    private static func union(_ sets: CharacterRanges...) -> CharacterRanges {
        CharacterRanges(unionOf: sets)
    }

    /// The only character; `nil` if there are more or none.
    var single: UInt32? {
        guard ranges.count == 1, ranges[0].lowerBound == ranges[0].upperBound else { return nil }
        return ranges[0].lowerBound
    }

    /// The union of some sets. O(n * log n) for n ranges.
    init(unionOf sets: some Sequence<CharacterRanges>) {
        ranges = Self.merged(sets.flatMap(\.ranges))
    }

    /// Merges the sets once there are many, so that a long class of few characters stays small.
    static func unite(_ sets: inout [CharacterRanges]) {
        guard sets.count >= 4096, sets.count >= sets[0].ranges.count * 2 else { return }
        sets = [CharacterRanges(unionOf: sets)]
    }

    mutating func formUnion(_ other: CharacterRanges) { ranges = Self.merged(ranges + other.ranges) }

    private static func merged(_ ranges: [ClosedRange<UInt32>]) -> [ClosedRange<UInt32>] {
        var merged: [ClosedRange<UInt32>] = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = merged.last, range.lowerBound <= last.upperBound &+ 1 {
                merged[merged.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
            } else {
                merged.append(range)
            }
        }
        return merged
    }

    /// O(n) for n ranges in both sets.
    func subtracting(_ other: CharacterRanges) -> CharacterRanges {
        var result = CharacterRanges()
        var first = 0
        for range in ranges {
            var low = range.lowerBound
            while first < other.ranges.count, other.ranges[first].upperBound < low { first += 1 }
            var index = first
            while index < other.ranges.count, other.ranges[index].lowerBound <= range.upperBound {
                let hole = other.ranges[index]
                if hole.lowerBound > low { result.ranges.append(low...(hole.lowerBound - 1)) }
                low = hole.upperBound + 1
                index += 1
            }
            if low <= range.upperBound { result.ranges.append(low...range.upperBound) }
            // The last hole may overlap the next range.
            first = max(first, index - 1)
        }
        return result
    }

    /// UTF-8 of one of the characters.
    var utf8: GrammarBuilder.Part {
        var choices: [GrammarBuilder.Part] = []
        var ascii = ByteSet()
        for range in ranges {
            if range.lowerBound < 0x80 {
                for byte in range.lowerBound...min(range.upperBound, 0x7F) { ascii.insert(UInt8(byte)) }
            }
            for (low, high) in [(0x80, 0x7FF), (0x800, 0xFFFF), (0x10000, 0x10FFFF)] as [(UInt32, UInt32)] {
                let (low, high) = (max(low, range.lowerBound), min(high, range.upperBound))
                if low <= high { Self.append(Self.bytes(low), Self.bytes(high), to: &choices) }
            }
        }
        if !ascii.isEmpty { choices.append(.bytes(ascii)) }
        return choices.count == 1 ? choices[0] : .choice(choices)
    }

    private static func bytes(_ value: UInt32) -> [UInt8] {
        Unicode.Scalar(value).map { Array(String(Character($0)).utf8) } ?? []
    }

    /// Adds the byte strings of equal length from `low` to `high`, as sequences of ranges of bytes.
    private static func append(_ low: [UInt8], _ high: [UInt8], to choices: inout [GrammarBuilder.Part]) {
        guard let first = low.first, let last = high.first else { return }
        guard low.count > 1 else { return choices.append(.bytes(ByteSet(first...last))) }
        let (lowTail, highTail) = (Array(low.dropFirst()), Array(high.dropFirst()))
        let (least, greatest) = (lowTail.map { _ in UInt8(0x80) }, lowTail.map { _ in UInt8(0xBF) })
        func add(_ lead: ClosedRange<UInt8>, _ low: [UInt8], _ high: [UInt8]) {
            var tails: [GrammarBuilder.Part] = []
            append(low, high, to: &tails)
            choices.append(.sequence([.bytes(ByteSet(lead)), tails.count == 1 ? tails[0] : .choice(tails)]))
        }
        if first == last { return add(first...first, lowTail, highTail) }
        var (from, to) = (first, last)
        if lowTail != least {
            add(first...first, lowTail, greatest)
            from += 1
        }
        if highTail != greatest {
            to -= 1
            if from <= to { add(from...to, least, greatest) }
            add(last...last, least, highTail)
        } else if from <= to {
            add(from...to, least, greatest)
        }
    }
}
