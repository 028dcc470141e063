import Basics

/// Checks that no rule is left-recursive: every rule reads a byte before it can occur again. O(elements).
struct GrammarProgress {
    private let grammar: Grammar
    /// Whether each rule may be empty.
    private var isNullable: [Bool]

    /// Also finds the repetitions whose body may be empty, and sets their minimum to zero, because empty rounds have no effect.
    ///
    /// - Throws: `GrammarError` if a rule is left-recursive.
    static func check(_ grammar: inout Grammar) throws(GrammarError) {
        var progress = GrammarProgress(grammar)
        progress.findNullable()
        if Cancellation.isRequested { throw .cancelled }
        try progress.checkFirsts()
        for index in grammar.repetitions.indices where progress.isNullable[Int(grammar.repetitions[index].body)] {
            grammar.repetitions[index].least = 0
        }
    }

    private init(_ grammar: Grammar) {
        self.grammar = grammar
        isNullable = Array(repeating: false, count: grammar.firstStarts.count - 1)
    }

    /// The rule that must be nullable for the element to be nullable; `nil` if it never or always is.
    private func condition(_ element: Grammar.Element, _ isNullable: [Bool]) -> (isFulfilled: Bool, rule: Int32?) {
        switch element {
        case .bytes, .end: return (false, nil)
        case .rule(let rule), .distinct(let rule): return (isNullable[Int(rule)], rule)
        case .repetition(let number):
            let repetition = grammar.repetitions[Int(number)]
            return (repetition.least == 0 || isNullable[Int(repetition.body)], repetition.body)
        }
    }

    private func condition(_ element: Grammar.Element) -> (isNullable: Bool, rule: Int32?) {
        let (isNullable, rule) = condition(element, isNullable)
        return (isNullable, rule)
    }

    private mutating func findNullable() { isNullable = Self.rules(of: grammar, condition) }

    /// The rules that have a sequence whose elements all fulfil a condition. O(elements): each sequence waits at its first
    /// element that does not fulfil it yet, and continues when that element's rule does.
    ///
    /// - Parameter condition: for an element and the rules found so far: whether it is fulfilled, and the rule that it waits
    ///   for.
    static func rules(
        of grammar: Grammar, _ condition: (Grammar.Element, [Bool]) -> (isFulfilled: Bool, rule: Int32?)
    ) -> [Bool] {
        var found = [Bool](repeating: false, count: grammar.firstStarts.count - 1)
        var waiting: [Int32: [(rule: Int32, index: Int)]] = [:]
        var work: [(rule: Int32, index: Int)] = []
        for rule in found.indices {
            for start in grammar.sequences(of: Int32(rule)) { work.append((Int32(rule), Int(start))) }
        }
        var checkpoint = CancellationCheck()
        while let (rule, start) = work.popLast() {
            if checkpoint.mustStop() { return found }
            var index = start
            guard !found[Int(rule)] else { continue }
            while grammar.elements[index] != .end, condition(grammar.elements[index], found).isFulfilled { index += 1 }
            if grammar.elements[index] == .end {
                found[Int(rule)] = true
                work += waiting.removeValue(forKey: rule) ?? []
            } else if let needed = condition(grammar.elements[index], found).rule {
                waiting[needed, default: []].append((rule, index))
            }
        }
        return found
    }

    /// Depth first over the first rules of a rule; iterative, because a chain may be as long as the grammar.
    private func checkFirsts() throws(GrammarError) {
        enum Mark { case new, open, done }
        var marks = [Mark](repeating: .new, count: isNullable.count)
        var checkpoint = CancellationCheck()
        for rule in isNullable.indices where marks[rule] == .new {
            var path: [(rule: Int, firsts: [Int32])] = [(rule, firsts(of: rule))]
            marks[rule] = .open
            while let current = path.last?.rule {
                if checkpoint.mustStop() { throw .cancelled }
                guard let called = path[path.count - 1].firsts.popLast().map(Int.init) else {
                    marks[current] = .done
                    path.removeLast()
                    continue
                }
                if marks[called] == .open {
                    throw GrammarError(path: "", reason: "has a rule that begins with itself (left recursion)")
                }
                guard marks[called] == .new else { continue }
                marks[called] = .open
                path.append((called, firsts(of: called)))
            }
        }
    }

    /// The rules with which `rule` may begin.
    private func firsts(of rule: Int) -> [Int32] {
        var called: [Int32] = []
        for start in grammar.sequences(of: Int32(rule)) {
            var index = Int(start)
            while let first = condition(grammar.elements[index]).rule {
                called.append(first)
                guard condition(grammar.elements[index]).isNullable else { break }
                index += 1
            }
        }
        return called
    }
}
