import Basics

/// Builds a grammar bottom-up, in O(size of the parts * log).
struct GrammarBuilder {
    /// A part of a sequence.
    indirect enum Part: Sendable {
        case literal([UInt8])
        case bytes(ByteSet)
        case sequence([Part])
        case choice([Part])
        /// At most `most` times; `nil`: any number of times.
        case times(Part, least: Int, most: Int?)
        /// The same with a different part in the first round.
        case list(first: Part, then: Part, least: Int, most: Int?)
        /// A rule whose text is different in each round of the enclosing list. It must be directly in a part of the list.
        case distinct(Part)
        case rule(Int)

        static func text(_ text: String) -> Part { .literal(Array(text.utf8)) }
        static func optional(_ part: Part) -> Part { .times(part, least: 0, most: 1) }
        static let nothing = Part.sequence([])
    }

    /// Maximum number of elements of a grammar, which bounds its memory and compile time.
    static let mostElements = 200_000
    /// Maximum number of steps to read the source, not counting those proportional to its length: repeated visits of schemas,
    /// names that are matched with patterns.
    static let mostVisits = 100_000

    /// The bytes for each marker that is one token; see ``VocabularyTrie/markers``.
    private let markers: [String: [UInt8]]
    private var grammar = Grammar()
    /// The index of the first sequence of each rule.
    private var rules: [[Int32]] = []
    private var lexemes: Set<Int> = []
    private var setNumbers: [ByteSet: Int32] = [:]
    private var repetitionNumbers: [Grammar.Repetition: Int32] = [:]
    private var written = 0
    private var visits = 0
    /// Why the grammar may have no text: the error of the first part without a text.
    private var emptiness: GrammarError?

    init(markers: [String: [UInt8]] = [:]) {
        self.markers = markers
    }

    /// The part for a marker: its token if the vocabulary has one, otherwise its text.
    func marker(_ text: String) -> Part { .literal(markers[text] ?? Array(text.utf8)) }

    /// A text in which all markers are replaced. O(length * markers).
    func markedText(_ text: String) -> Part {
        var bytes = Array(text.utf8)
        for (name, token) in markers.sorted(by: { $0.key < $1.key }) {
            let name = Array(name.utf8)
            for range in bytes.ranges(of: name).reversed() { bytes.replaceSubrange(range, with: token) }
        }
        return .literal(bytes)
    }

    /// Declares a rule that is defined later, once.
    mutating func declare(isLexeme: Bool = false) -> Int {
        rules.append([])
        if isLexeme { lexemes.insert(rules.count - 1) }
        return rules.count - 1
    }

    /// - Throws: `GrammarError` if the grammar becomes too large.
    mutating func define(_ rule: Int, _ part: Part) throws(GrammarError) {
        let parts = if case .choice(let parts) = part { parts } else { [part] }
        var sequences: [[Grammar.Element]] = []
        sequences.reserveCapacity(parts.count)
        for part in parts {
            try count(1)
            var elements: [Grammar.Element] = []
            try append(part, to: &elements)
            sequences.append(elements)
        }
        add(sequences, to: rule)
    }

    mutating func rule(_ part: Part, isLexeme: Bool = false) throws(GrammarError) -> Part {
        let rule = declare(isLexeme: isLexeme)
        try define(rule, part)
        return .rule(rule)
    }

    /// Counts work that is not bounded by the length of the source.
    ///
    /// - Throws: `GrammarError` beyond ``mostVisits``, or if the request has ended.
    mutating func visit(_ steps: Int = 1) throws(GrammarError) {
        let before = visits
        visits += steps
        guard visits <= Self.mostVisits else {
            throw GrammarError(
                path: "", reason: "is too complex: compiling it takes more than \(Self.mostVisits) steps",
                kind: .exceedsLimit)
        }
        if before >> 10 != visits >> 10, Cancellation.isRequested { throw .cancelled }
    }

    /// Records a part without any text. If the grammar has no text at all, this is the reported reason.
    mutating func noteEmpty(_ error: GrammarError) {
        guard emptiness == nil else { return }
        emptiness = error
        emptiness?.kind = .allowsNothing
    }

    /// - Parameter layout: what may precede the root.
    /// - Throws: `GrammarError` if a rule is left-recursive, so that reading it would never end, or if there is no text.
    mutating func finish(root: Part, behind layout: Part? = nil) throws(GrammarError) -> Grammar {
        let rule = declare()
        try define(rule, root)
        (grammar.root, grammar.answer) = (Int32(rule), Int32(rule))
        if let layout {
            let whole = declare()
            try define(whole, .sequence([layout, .rule(rule)]))
            grammar.root = Int32(whole)
        }
        grammar.starts.reserveCapacity(rules.reduce(0) { $0 + $1.count })
        for sequences in rules {
            grammar.starts += sequences
            grammar.firstStarts.append(Int32(grammar.starts.count))
        }
        try GrammarProgress.check(&grammar)
        guard try GrammarProductivity.prune(&grammar) else {
            throw emptiness ?? GrammarError(path: "", reason: "matches nothing", kind: .allowsNothing)
        }
        return grammar
    }

    private mutating func count(_ elements: Int) throws(GrammarError) {
        let before = written
        written += elements
        guard written <= Self.mostElements else {
            throw GrammarError(
                path: "", reason: "is too large: more than \(Self.mostElements) grammar elements", kind: .exceedsLimit)
        }
        if before >> 12 != written >> 12, Cancellation.isRequested { throw .cancelled }
    }

    private mutating func append(_ part: Part, to elements: inout [Grammar.Element]) throws(GrammarError) {
        switch part {
        case .literal(let bytes):
            try count(bytes.count)
            for byte in bytes { elements.append(.bytes(number(of: ByteSet(byte...byte)))) }
        case .bytes(let set):
            try count(1)
            elements.append(.bytes(number(of: set)))
        case .sequence(let parts):
            for part in parts { try append(part, to: &elements) }
        case .choice(let parts):
            if parts.count == 1 { return try append(parts[0], to: &elements) }
            try count(1)
            elements.append(.rule(Int32(try ruleNumber(part))))
        case .times(let part, let least, let most):
            if most == 0 { return }
            if least == 1, most == 1 { return try append(part, to: &elements) }
            try count(1)
            let repetition = Grammar.Repetition(
                body: Int32(try ruleNumber(part)), least: Int32(clamping: least), most: most.map(Int32.init(clamping:)))
            elements.append(.repetition(number(of: repetition)))
        case .list(let first, let then, let least, let most):
            try count(1)
            let (body, first) = (Int32(try ruleNumber(then)), Int32(try ruleNumber(first)))
            let repetition = Grammar.Repetition(
                body: body, least: Int32(clamping: least), most: most.map(Int32.init(clamping:)), first: first)
            elements.append(.repetition(number(of: repetition)))
        case .distinct(let part):
            try count(1)
            grammar.hasDistinct = true
            elements.append(.distinct(Int32(try ruleNumber(part))))
        case .rule(let rule):
            try count(1)
            elements.append(.rule(Int32(rule)))
        }
    }

    private mutating func ruleNumber(_ part: Part) throws(GrammarError) -> Int {
        if case .rule(let rule) = part { return rule }
        let rule = declare()
        try define(rule, part)
        return rule
    }

    private mutating func number(of set: ByteSet) -> Int32 {
        if let number = setNumbers[set] { return number }
        grammar.sets.append(set)
        setNumbers[set] = Int32(grammar.sets.count - 1)
        return Int32(grammar.sets.count - 1)
    }

    private mutating func number(of repetition: Grammar.Repetition) -> Int32 {
        if let number = repetitionNumbers[repetition] { return number }
        grammar.repetitions.append(repetition)
        repetitionNumbers[repetition] = Int32(grammar.repetitions.count - 1)
        return Int32(grammar.repetitions.count - 1)
    }
}

// MARK: Choices

extension GrammarBuilder {
    /// Sequences of one rule that have the same element after their first `common` elements.
    private struct Alternatives {
        var rule: Int
        var range: Range<Int>
        var common: Int
    }

    /// Adds a rule's sequences. Sequences with a common prefix are read as one until they differ, so that a choice of thousands
    /// of texts or characters needs few parallel parses.
    private mutating func add(_ sequences: [[Grammar.Element]], to rule: Int) {
        let sequences = sequences.count > 1 ? sequences.sorted { $0.lexicographicallyPrecedes($1) } : sequences
        var work = [Alternatives(rule: rule, range: sequences.indices, common: 0)]
        while let alternatives = work.popLast() {
            let (rule, common) = (alternatives.rule, alternatives.common)
            var index = alternatives.range.lowerBound
            while index < alternatives.range.upperBound {
                let first = sequences[index].dropFirst(common)
                var end = index + 1
                while end < alternatives.range.upperBound, let element = first.first,
                    sequences[end].count > common, sequences[end][common] == element
                {
                    end += 1
                }
                // Duplicate sequences are read once.
                let last = sequences[end - 1].dropFirst(common)
                if first.elementsEqual(last) {
                    add(first, to: rule)
                } else {
                    let shared = zip(first, last).prefix { $0 == $1 }.count
                    let rest = declare(isLexeme: lexemes.contains(rule))
                    add(first.prefix(shared) + [.rule(Int32(rest))], to: rule)
                    work.append(Alternatives(rule: rest, range: index..<end, common: common + shared))
                }
                index = end
                // An empty sequence has no first element to share.
                while first.isEmpty, index < alternatives.range.upperBound, sequences[index].count == common {
                    index += 1
                }
            }
        }
    }

    private mutating func add(_ elements: some Sequence<Grammar.Element>, to rule: Int) {
        rules[rule].append(Int32(grammar.elements.count))
        grammar.elements += elements
        grammar.elements.append(.end)
        let isInLexeme = lexemes.contains(rule)
        while grammar.isInLexeme.count < grammar.elements.count { grammar.isInLexeme.append(isInLexeme) }
    }
}
