// Distinct elements: the text of the current element is stored in its frame, and the texts of earlier rounds in the frame of
// the repetition below it. Stacks that can only complete an earlier text are dropped at once.

extension GrammarAutomaton {
    typealias Frame = GrammarFrames.Frame

    /// The maximum number of bytes that are tried to find a remaining text. Beyond it, one is assumed to exist.
    private static let mostLookedAt = 8_192

    /// The frame after a distinct element whose text has been read; `nil` if the text occurred before.
    mutating func behindDistinct(_ frame: Frame) throws(GrammarLimit) -> Frame? {
        let round = frames[frame.parent]
        let members = distinct.members(of: round.memo)
        steps += members.count
        let text = frame.count - 1
        guard round.memo != DistinctTexts.closed, !members.contains(text) else { return nil }
        let parent = try self.frame(
            round.element, round.parent, round.count, memo: distinct.set(round.memo, and: text))
        return Frame(element: frame.element + 1, parent: parent)
    }

    /// The frame after a distinct element with any text, if no further element can begin.
    mutating func behindAnyDistinct(_ frame: Frame) throws(GrammarLimit) -> Frame {
        let round = frames[frame.parent]
        let parent = try self.frame(round.element, round.parent, round.count, memo: DistinctTexts.closed)
        return Frame(element: frame.element + 1, parent: parent)
    }

    /// Adds a byte that has been read to the text of the stack's distinct element.
    mutating func advanced(_ number: Int32, by byte: UInt8, from before: Int) throws(GrammarLimit) -> Int32 {
        guard number != GrammarFrames.none, frames.records[Int(number)].distinct != GrammarFrames.none else {
            return number
        }
        var path: [Frame] = []
        var (number, place) = (frames.records[Int(number)].distinct, number)
        while place != number {
            path.append(frames[place])
            place = frames[place].parent
        }
        steps += path.count
        guard steps - before <= Self.mostSteps else { throw .stepsPerByte(Self.mostSteps) }
        let old = frames[number]
        number = try frame(old.element, old.parent, distinct.text(old.count - 1, and: byte) + 1)
        for frame in path.reversed() {
            number = try self.frame(frame.element, number, frame.count, memo: frame.memo)
        }
        return number
    }

    /// The state without the stacks whose distinct element can only become one of the earlier texts.
    mutating func droppingHopeless(_ state: State, from before: Int) throws(GrammarLimit) -> State {
        guard state != Self.dead else { return state }
        let stacks = records[Int(state)].stacks
        var isHopeless: [Int32: Bool] = [:]
        for top in stacks.tops {
            let element = frames.records[Int(top)].distinct
            guard element != GrammarFrames.none, isHopeless[element] == nil else { continue }
            let tops = stacks.tops.filter { frames.records[Int($0)].distinct == element }
            isHopeless[element] = try isWithoutText(element, tops, from: before)
        }
        guard isHopeless.values.contains(true) else { return state }
        let tops = stacks.tops.filter { isHopeless[frames.records[Int($0)].distinct] != true }
        return tops.isEmpty && !stacks.accepts ? Self.dead : number(of: Stacks(tops: tops, accepts: stacks.accepts))
    }

    /// Whether all texts that the stacks inside a distinct element can complete occurred before.
    private mutating func isWithoutText(
        _ element: Int32, _ tops: [Int32], from before: Int
    ) throws(GrammarLimit) -> Bool {
        let frame = frames[element]
        let members = distinct.members(of: frames[frame.parent].memo)
        let text = frame.count - 1
        steps += 1 + members.count
        var taken = members.contains(text) ? 1 : 0
        if distinct.hasLonger(text) {
            taken = 0
            for member in members {
                steps += distinct.distance(member, text) / 4
                guard steps - before <= Self.mostSteps else { throw .stepsPerByte(Self.mostSteps) }
                if distinct.begins(member, with: text) { taken += 1 }
            }
        }
        guard taken > 0 else { return false }
        var inside: [Int32] = []
        for top in tops { inside.append(try stripped(top, above: element)) }
        // Different prefixes of the same length belong to different texts, at least one each.
        var beginnings = [number(of: Stacks(tops: inside, accepts: false))]
        var (found, looked) = (0, 0)
        while !beginnings.isEmpty, found + beginnings.count <= taken {
            var next: [State] = []
            for state in beginnings {
                for bytes in classes.members where found + next.count <= taken {
                    looked += 1
                    steps += 1
                    guard looked <= Self.mostLookedAt, steps - before <= Self.mostSteps / 2 else { return false }
                    let known = known(state, bytes[0])
                    let transition = if let known { known } else { try step(state, bytes[0]) }
                    if let known { steps += Int(known.cost) }
                    guard transition.next != Self.dead else { continue }
                    if accepts(transition.next) { found += bytes.count }
                    if !isFinal(transition.next) {
                        next += repeatElement(transition.next, count: min(bytes.count, taken + 1))
                    }
                }
            }
            beginnings = next
        }
        return found + beginnings.count <= taken
    }

    /// The part of a stack above a frame, as if there were nothing below.
    private mutating func stripped(_ top: Int32, above back: Int32) throws(GrammarLimit) -> Int32 {
        var path: [Frame] = []
        var number = top
        while number != back, number != GrammarFrames.none {
            path.append(frames[number])
            number = frames[number].parent
        }
        var parent = GrammarFrames.none
        for frame in path.reversed() { parent = try self.frame(frame.element, parent, frame.count, memo: frame.memo) }
        return parent
    }

    /// What is left of the tokens and the ends of a lexeme behind some of its bytes, where it is to differ from the texts of a set.
    struct DistinctRemainder {
        /// The lexeme, where it is all there is.
        var inside: State
        /// Its bytes so far.
        var text: Int32
        var set: Int32
        var mask: TokenMask
        var exits: [Int32]

        var bytes: Int { mask.words.count * 8 + exits.count * 4 }
    }

    /// Remainders that are kept. Sequences that follow a grammar at a time have sets of their own.
    private static let mostRemainders = 16
    /// Texts that a remainder that is kept differs from, at least: it is worth its memory.
    private static let leastKept = 32

    /// The mask that remains of the tokens and exits of a lexeme that must be distinct.
    ///
    /// A text more in the set matters only to tokens on the way to it: the rest is as it was for the set before, so that a long list
    /// costs no more for each of its elements than a short one.
    ///
    /// - Parameter inside: the lexeme, where it is all there is.
    mutating func distinctMask(
        of state: State, inside: State, _ trie: VocabularyTrie, _ mask: TokenMask, _ exits: [Int32]
    ) throws(GrammarLimit) -> (mask: TokenMask, exits: [Int32]) {
        guard let top = tops(of: state).first else { return (mask, exits) }
        let frame = frames[frames.records[Int(top)].distinct]
        let (text, set) = (frame.count - 1, frames[frame.parent].memo)
        let known = remainders.indices.filter { remainders[$0].inside == inside && remainders[$0].text == text }
        var (left, members, before, found) = ((mask: mask, exits: exits), [Int32](), set, 0)
        while before > 0 {
            steps += 1
            if let place = known.last(where: { remainders[$0].set == before }) {
                (left, found) = ((remainders[place].mask, remainders[place].exits), Self.leastKept)
                break
            }
            let last = distinct.last(of: before)
            steps += distinct.distance(last.text, text) / 4
            if distinct.begins(last.text, with: text) { members.append(last.text) }
            before = last.before
        }
        left = try without(members, behind: text, from: state, trie, left.mask, left.exits)
        guard found + members.count >= Self.leastKept else { return left }
        if remainders.count >= Self.mostRemainders { remainders.removeFirst() }
        remainders.append(
            DistinctRemainder(inside: inside, text: text, set: set, mask: left.mask, exits: left.exits))
        return left
    }

    /// Tokens and ends without those that can only become one of some texts.
    private mutating func without(
        _ members: [Int32], behind text: Int32, from start: State, _ trie: VocabularyTrie, _ mask: TokenMask,
        _ exits: [Int32]
    ) throws(GrammarLimit) -> (mask: TokenMask, exits: [Int32]) {
        var (mask, excluded) = (mask, Set<Int32>())
        for member in members {
            let rest = distinct.rest(of: member, behind: text)
            var (node, end, state) = (0, trie.bytes.count, start)
            for (index, byte) in rest.enumerated() {
                while node < end, trie.bytes[node] != byte { node = Int(trie.ends[node]) }
                guard node < end else { break }
                state = try step(state, byte).next
                if index == rest.count - 1 { excluded.insert(Int32(node)) }
                if state == Self.dead {
                    for place in node..<Int(trie.ends[node]) {
                        excluded.insert(Int32(place))
                        var token = trie.tokens[place]
                        while token >= 0 {
                            mask.remove(token)
                            token = trie.twins[Int(token)]
                        }
                    }
                    break
                }
                (node, end) = (node + 1, Int(trie.ends[node]))
            }
        }
        return (mask, excluded.isEmpty ? exits : exits.filter { !excluded.contains($0) })
    }

    /// Drops the texts and sets that no frame refers to.
    mutating func forgetTexts() {
        var (texts, sets) = (remainders.map(\.text), remainders.map(\.set))
        for record in frames.records {
            if record.frame.memo > 0 { sets.append(record.frame.memo) }
            if case .distinct = grammar.elements[Int(record.frame.element)], record.frame.count > 0 {
                texts.append(record.frame.count - 1)
            }
        }
        let numbers = distinct.keep(texts: texts, sets: sets)
        frames.renumber(texts: numbers.texts, sets: numbers.sets, in: grammar)
        for index in remainders.indices {
            remainders[index].text = numbers.texts[Int(remainders[index].text)]
            remainders[index].set = numbers.sets[Int(remainders[index].set)]
        }
    }
}
