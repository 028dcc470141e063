import Basics

/// Removes parts without a text, so that a reply cannot reach a dead end.
enum GrammarProductivity {
    /// O(elements).
    ///
    /// - Returns: whether the grammar has any text.
    static func prune(_ grammar: inout Grammar) throws(GrammarError) -> Bool {
        let isProductive = GrammarProgress.rules(of: grammar) { [grammar] element, found in
            condition(element, grammar, found)
        }
        if Cancellation.isRequested { throw .cancelled }
        guard isProductive.contains(false) else { return true }
        var (starts, firstStarts) = ([Int32](), [Int32(0)])
        for rule in isProductive.indices {
            for start in grammar.sequences(of: Int32(rule)) {
                var index = Int(start)
                while grammar.elements[index] != .end,
                    condition(grammar.elements[index], grammar, isProductive).isFulfilled
                {
                    index += 1
                }
                if grammar.elements[index] == .end { starts.append(start) }
            }
            firstStarts.append(Int32(starts.count))
        }
        (grammar.starts, grammar.firstStarts) = (starts, firstStarts)
        // A body without a text can be repeated zero times only.
        for index in grammar.repetitions.indices {
            let repetition = grammar.repetitions[index]
            let rules = [repetition.body, repetition.first ?? repetition.body]
            if !rules.allSatisfy({ isProductive[Int($0)] }) { grammar.repetitions[index].most = 0 }
        }
        return isProductive[Int(grammar.root)]
    }

    private static func condition(
        _ element: Grammar.Element, _ grammar: Grammar, _ found: [Bool]
    ) -> (isFulfilled: Bool, rule: Int32?) {
        switch element {
        case .bytes, .end: return (true, nil)
        case .rule(let rule), .distinct(let rule): return (found[Int(rule)], rule)
        case .repetition(let number):
            let repetition = grammar.repetitions[Int(number)]
            if let first = repetition.first, !found[Int(first)] { return (repetition.least == 0, first) }
            return (repetition.least == 0 || found[Int(repetition.body)], repetition.body)
        }
    }
}
