// Unreferenced states are dropped to keep a grammar within its memory limit.

extension GrammarAutomaton {
    /// The object that represents a state outside of the automaton. While it is referenced, the state is kept.
    mutating func position(of state: State) -> CompiledGrammar.Position {
        if let position = records[Int(state)].position { return position }
        let position = CompiledGrammar.Position(state: state)
        records[Int(state)].position = position
        return position
    }

    /// Whether anything outside of the automaton references the state's position.
    mutating func isReferenced(_ state: State) -> Bool {
        records[Int(state)].position != nil && !isKnownUniquelyReferenced(&records[Int(state)].position)
    }

    /// Drops all states except those that are referenced or among `roots`, and the frames that the kept ones do not need. Kept
    /// states keep their numbers. O(states + frames).
    ///
    /// - Returns: for each state, whether it was kept.
    mutating func compact(keeping roots: some Sequence<State>) -> [Bool] {
        var isKept = records.indices.map { isReferenced(State($0)) }
        for root in roots where root >= 0 { isKept[Int(root)] = true }
        let kept = records.indices.filter { isKept[$0] }
        let frameNumbers = frames.keep(kept.lazy.flatMap { [records] in records[$0].stacks.tops })
        if grammar.hasDistinct { forgetTexts() }
        let count = (isKept.lastIndex(of: true) ?? -1) + 1
        records.removeSubrange(count...)
        table.removeSubrange((count * classes.count)...)
        (stackBytes, numbers, free) = (0, [:], [])
        for index in records.indices {
            guard isKept[index] else {
                records[index] = Record(stacks: Stacks(tops: [], accepts: false))
                free.append(State(index))
                continue
            }
            let tops = records[index].stacks.tops.map { frameNumbers[Int($0)] }
            records[index].stacks.tops = tops
            numbers[records[index].stacks] = State(index)
            stackBytes += tops.count * 4
            for place in index * classes.count..<(index + 1) * classes.count
            where table[place].next >= 0 && !isKept[Int(table[place].next)] {
                table[place] = Transition(next: Self.unknown, cost: 0)
            }
        }
        return isKept
    }
}
