/// The stack frames of a ``GrammarAutomaton``. Equal frames are stored once, so that stacks share their common part.
struct GrammarFrames {
    /// The bottom of all stacks.
    static let none: Int32 = -1

    struct Frame: Hashable {
        /// The next element.
        var element: Int32
        /// The frame to return to after the rule of that element.
        var parent: Int32
        /// The rounds read, if `element` is a repetition. If it is distinct, 1 plus the number of the text that has been read
        /// of it (``DistinctTexts``), or 0 before its beginning.
        var count: Int32 = 0
        /// The set of distinct texts, if `element` is a repetition.
        var memo: Int32 = 0
    }

    struct Record {
        var frame: Frame
        var depth: Int32
        /// The return position of the outermost lexeme that contains the frame; `nil` if there is none.
        var lexemeReturn: Int32?
        /// The distinct element that contains the frame or is its element; `none` if there is none.
        var distinct: Int32
        /// Equal for stacks that differ only in comparable counts: those of rounds beyond the minimum.
        var shape: UInt64
        /// Whether the stack has such counts.
        var isCounted: Bool
    }

    /// Bytes of a frame, including its share of the table.
    static let bytesPerFrame = MemoryLayout<Record>.stride + 16

    private(set) var records: [Record] = []
    /// Open addressing over the records; -1: free.
    private var table: [Int32] = Array(repeating: -1, count: 64)

    var count: Int { records.count }

    subscript(_ number: Int32) -> Frame { records[Int(number)].frame }

    func depth(of number: Int32) -> Int32 { number == Self.none ? 0 : records[Int(number)].depth }

    /// The number of a frame. O(1).
    mutating func number(of frame: Frame, in grammar: Grammar) -> Int32 {
        var place = slot(of: frame)
        while table[place] >= 0 {
            if records[Int(table[place])].frame == frame { return table[place] }
            place = (place + 1) & (table.count - 1)
        }
        let number = Int32(records.count)
        records.append(record(of: frame, number, in: grammar))
        table[place] = number
        if records.count * 2 > table.count { rebuildTable(table.count * 2) }
        return number
    }

    private func record(of frame: Frame, _ number: Int32, in grammar: Grammar) -> Record {
        let parent = frame.parent == Self.none ? nil : records[Int(frame.parent)]
        var lexemeReturn = parent?.lexemeReturn
        if lexemeReturn == nil, grammar.isInLexeme[Int(frame.element)] { lexemeReturn = frame.parent }
        let isComparable =
            if case .repetition(let number) = grammar.elements[Int(frame.element)] {
                frame.count >= grammar.repetitions[Int(number)].least
            } else {
                false
            }
        var shape = (parent?.shape ?? 0) &* 0x9E37_79B9_7F4A_7C15 &+ UInt64(UInt32(bitPattern: frame.element)) &+ 1
        if frame.memo != 0 { shape = shape &* 0xA24B_AED4_963E_E407 &+ UInt64(UInt32(bitPattern: frame.memo)) }
        if !isComparable { shape = shape &* 0xD6E8_FEB8_6659_FD93 &+ UInt64(UInt32(bitPattern: frame.count)) }
        let isDistinct = if case .distinct = grammar.elements[Int(frame.element)] { frame.count > 0 } else { false }
        return Record(
            frame: frame, depth: (parent?.depth ?? 0) + 1, lexemeReturn: lexemeReturn,
            distinct: isDistinct ? number : parent?.distinct ?? Self.none, shape: shape ^ shape >> 29,
            isCounted: isComparable || parent?.isCounted ?? false)
    }

    /// Keeps the frames that are reachable from some frames, in order; returns the new number of each, or -1.
    mutating func keep(_ tops: some Sequence<Int32>) -> [Int32] {
        var numbers = [Int32](repeating: -1, count: records.count)
        for top in tops {
            var frame = top
            while frame != Self.none, numbers[Int(frame)] < 0 {
                numbers[Int(frame)] = 0
                frame = records[Int(frame)].frame.parent
            }
        }
        var kept: [Record] = []
        for index in records.indices where numbers[index] == 0 {
            numbers[index] = Int32(kept.count)
            // Parents come before their children.
            var record = records[index]
            if record.frame.parent != Self.none { record.frame.parent = numbers[Int(record.frame.parent)] }
            if let back = record.lexemeReturn, back != Self.none { record.lexemeReturn = numbers[Int(back)] }
            if record.distinct != Self.none { record.distinct = numbers[Int(record.distinct)] }
            kept.append(record)
        }
        records = kept
        var size = 64
        while size < records.count * 4 { size *= 2 }
        rebuildTable(size)
        return numbers
    }

    /// Updates the numbers of the texts of distinct elements, and of the sets.
    mutating func renumber(texts: [Int32], sets: [Int32], in grammar: Grammar) {
        for index in records.indices {
            if records[index].frame.memo > 0 { records[index].frame.memo = sets[Int(records[index].frame.memo)] }
            if case .distinct = grammar.elements[Int(records[index].frame.element)], records[index].frame.count > 0 {
                records[index].frame.count = texts[Int(records[index].frame.count) - 1] + 1
            }
        }
        rebuildTable(table.count)
    }

    private mutating func rebuildTable(_ size: Int) {
        table = Array(repeating: -1, count: size)
        for index in records.indices {
            var place = slot(of: records[index].frame)
            while table[place] >= 0 { place = (place + 1) & (size - 1) }
            table[place] = Int32(index)
        }
    }

    private func slot(of frame: Frame) -> Int {
        let low = UInt64(UInt32(bitPattern: frame.element)) | UInt64(UInt32(bitPattern: frame.parent)) << 32
        let mixed = (low ^ HashSeed.low).multipliedFullWidth(
            by: HashSeed.high ^ UInt64(UInt32(bitPattern: frame.count)) ^ UInt64(UInt32(bitPattern: frame.memo)) << 32)
        return Int(truncatingIfNeeded: mixed.high ^ mixed.low) & (table.count - 1)
    }
}

/// Random for each process, so that no grammar can be constructed whose entries all collide.
private enum HashSeed {
    static let low = UInt64.random(in: .min ... .max)
    static let high = UInt64.random(in: .min ... .max) | 1
}

// MARK: Comparing

extension GrammarFrames {
    /// Maximum depth to which two stacks are compared.
    private static let mostCompared = 128

    /// Whether everything that may follow `other` may also follow `frame`: the frames are equal, except that in `frame` some
    /// repetitions have been read fewer times, but at least their minimum. May return false where it is true, but never true
    /// where it is false.
    func includes(_ frame: Int32, _ other: Int32, _ grammar: Grammar) -> Bool {
        var (a, b) = (frame, other)
        for _ in 0..<Self.mostCompared {
            if a == b { return true }
            guard a != Self.none, b != Self.none else { return false }
            let (one, two) = (records[Int(a)].frame, records[Int(b)].frame)
            guard one.element == two.element, one.memo == two.memo else { return false }
            if one.count != two.count {
                guard one.count < two.count, case .repetition(let number) = grammar.elements[Int(one.element)],
                    one.count >= grammar.repetitions[Int(number)].least
                else { return false }
            }
            (a, b) = (one.parent, two.parent)
        }
        return a == b
    }
}
