/// What a reply may be, as bytes of UTF-8: a context-free grammar whose rules may call each other and themselves.
///
/// Made by ``GrammarBuilder``. A rule is a choice of sequences, which lie one after another in `elements`.
struct Grammar: Sendable {
    enum Element: Sendable, Hashable {
        /// One byte of the set with this number.
        case bytes(Int)
        case rule(Int)
        case end
    }

    var elements: [Element] = []
    /// Where the sequences of each rule begin.
    var rules: [[Int]] = []
    var sets: [ByteSet] = []
    /// Rules that are read alike wherever they stand, and long: strings. Masks of tokens inside them are shared.
    var lexemes: Set<Int> = []
    /// The rule that each element is of.
    var ruleOfElement: [Int] = []
    /// For elements of repetitions that may go on for so many rounds: the element with the most rounds left.
    var rounds: [Int: (left: Int, like: Int)] = [:]
    var root = 0
}

/// Why something cannot be a grammar.
public struct GrammarError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Where in what was given, such as `properties.name.pattern`; empty for all of it.
    public var path: String
    public var reason: String

    public var description: String { path.isEmpty ? reason : "\(path): \(reason)" }
}

/// Puts a grammar together, from the leaves up.
struct GrammarBuilder {
    /// A part: what may stand in a sequence.
    indirect enum Part: Sendable {
        case literal([UInt8])
        case bytes(ByteSet)
        case sequence([Part])
        case choice([Part])
        /// At most `most` times; `nil`: any number of times.
        case times(Part, least: Int, most: Int?)
        case rule(Int)

        static func text(_ text: String) -> Part { .literal(Array(text.utf8)) }
        static func optional(_ part: Part) -> Part { .times(part, least: 0, most: 1) }
        static let nothing = Part.sequence([])
    }

    /// Elements of a grammar at most, which bounds its memory, and the time to make it.
    static let mostElements = 200_000

    private(set) var grammar = Grammar()
    private var setNumbers: [ByteSet: Int] = [:]

    /// A rule that is to be defined later.
    mutating func declare(isLexeme: Bool = false) -> Int {
        grammar.rules.append([])
        if isLexeme { grammar.lexemes.insert(grammar.rules.count - 1) }
        return grammar.rules.count - 1
    }

    /// - Throws: `GrammarError` when the grammar becomes too large.
    mutating func define(_ rule: Int, _ part: Part) throws(GrammarError) {
        let sequences = if case .choice(let parts) = part { parts } else { [part] }
        for sequence in sequences {
            var elements: [Grammar.Element] = []
            try append(sequence, to: &elements)
            let start = add(elements, to: rule)
            grammar.rules[rule].append(start)
        }
    }

    mutating func rule(_ part: Part, isLexeme: Bool = false) throws(GrammarError) -> Part {
        let rule = declare(isLexeme: isLexeme)
        try define(rule, part)
        return .rule(rule)
    }

    /// - Throws: `GrammarError` when a rule begins with itself, so that reading it would never end.
    mutating func finish(root: Part) throws(GrammarError) -> Grammar {
        grammar.root = declare()
        try define(grammar.root, root)
        try checkProgress()
        return grammar
    }

    private mutating func add(_ elements: [Grammar.Element], to rule: Int) -> Int {
        let start = grammar.elements.count
        grammar.elements += elements + [.end]
        grammar.ruleOfElement += Array(repeating: rule, count: elements.count + 1)
        return start
    }

    private mutating func append(_ part: Part, to elements: inout [Grammar.Element]) throws(GrammarError) {
        guard grammar.elements.count + elements.count < Self.mostElements else {
            throw GrammarError(path: "", reason: "is too large: more than \(Self.mostElements) grammar elements")
        }
        switch part {
        case .literal(let bytes):
            for byte in bytes { elements.append(.bytes(number(of: ByteSet(byte...byte)))) }
        case .bytes(let set): elements.append(.bytes(number(of: set)))
        case .sequence(let parts):
            for part in parts { try append(part, to: &elements) }
        case .choice(let parts):
            if parts.count == 1 { return try append(parts[0], to: &elements) }
            elements.append(.rule(try ruleNumber(part)))
        case .times(let part, let least, let most): try append(part, least, most, to: &elements)
        case .rule(let rule): elements.append(.rule(rule))
        }
    }

    private mutating func ruleNumber(_ part: Part) throws(GrammarError) -> Int {
        let rule = declare()
        try define(rule, part)
        return rule
    }

    private mutating func append(
        _ part: Part, _ least: Int, _ most: Int?, to elements: inout [Grammar.Element]
    ) throws(GrammarError) {
        // Written once, called often.
        let body: Part
        if case .rule = part { body = part } else { body = .rule(try ruleNumber(part)) }
        for _ in 0..<least { try append(body, to: &elements) }
        guard let most else {
            let loop = declare()
            try define(loop, .choice([.sequence([body, .rule(loop)]), .nothing]))
            elements.append(.rule(loop))
            return
        }
        guard most > least else { return }
        // Optional rounds, the last one first: each goes on with one round less.
        var next = Part.nothing
        var starts: [Int] = []
        for _ in 0..<(most - least) {
            let round = try rule(.choice([.sequence([body, next]), .nothing]))
            guard case .rule(let number) = round else { break }
            starts.append(grammar.rules[number][0])
            next = round
        }
        // Behind a round's body stands the next round, but behind the last one's nothing.
        for (left, start) in starts.enumerated() where left > 0 {
            grammar.rounds[start + 1] = (left, starts[starts.count - 1] + 1)
        }
        try append(next, to: &elements)
    }

    private mutating func number(of set: ByteSet) -> Int {
        if let number = setNumbers[set] { return number }
        grammar.sets.append(set)
        setNumbers[set] = grammar.sets.count - 1
        return grammar.sets.count - 1
    }

    /// Every rule must read a byte before it comes to itself again.
    private func checkProgress() throws(GrammarError) {
        var nullable = Set<Int>()
        var changes = true
        while changes {
            changes = false
            for (rule, starts) in grammar.rules.enumerated() where !nullable.contains(rule) {
                let isNullable = starts.contains { start in
                    var index = start
                    while case .rule(let called) = grammar.elements[index], nullable.contains(called) { index += 1 }
                    return grammar.elements[index] == .end
                }
                if isNullable {
                    nullable.insert(rule)
                    changes = true
                }
            }
        }
        // Depth first over the rules that a rule may begin with; iterative, for chains are as long as the grammar.
        var states = [UInt8](repeating: 0, count: grammar.rules.count)
        for rule in grammar.rules.indices where states[rule] == 0 {
            var path: [(rule: Int, next: ArraySlice<Int>)] = [(rule, firsts(of: rule, nullable)[...])]
            states[rule] = 1
            while let (current, next) = path.last {
                guard let called = next.first else {
                    states[current] = 2
                    path.removeLast()
                    continue
                }
                path[path.count - 1].next = next.dropFirst()
                if states[called] == 1 {
                    throw GrammarError(path: "", reason: "a rule begins with itself, so that nothing can be written")
                }
                guard states[called] == 0 else { continue }
                states[called] = 1
                path.append((called, firsts(of: called, nullable)[...]))
            }
        }
    }

    /// The rules that `rule` may begin with.
    private func firsts(of rule: Int, _ nullable: Set<Int>) -> [Int] {
        var called: [Int] = []
        for start in grammar.rules[rule] {
            var index = start
            while case .rule(let next) = grammar.elements[index] {
                called.append(next)
                guard nullable.contains(next) else { break }
                index += 1
            }
        }
        return called
    }
}
