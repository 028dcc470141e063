/// Reads bytes by a grammar: a pushdown automaton that follows all alternatives at once. A state is the list of all stacks that
/// are possible after the bytes so far. Stacks share their frames, states are numbered in the order in which they are found,
/// and each transition is computed once.
///
/// A state depends only on the text, and so does the cost of each transition; other texts that were read before have no
/// influence. Stacks are in the order in which they were found.
struct GrammarAutomaton {
    typealias State = Int32

    /// The state without stacks.
    static let dead: State = -1
    static let unknown: State = -2

    /// Maximum number of stacks of a state.
    static let mostStacks = 4_096
    /// Maximum number of steps to read one byte, about 2 ms: the work between two checks for cancellation.
    static let mostSteps = 65_536
    /// Maximum number of frames of a stack.
    static let mostDepth = 8_192

    struct Transition {
        var next: State
        /// The number of steps it took.
        var cost: Int32
    }

    struct Stacks: Hashable {
        /// Frames of terminal elements.
        var tops: [Int32]
        /// Whether the text may end here.
        var accepts: Bool
    }

    struct Record {
        var stacks: Stacks
        /// `nil` until it is needed. If there is no other reference to it, the state is not needed.
        var position: CompiledGrammar.Position?
    }

    let grammar: Grammar
    let classes: ByteClasses
    var frames = GrammarFrames()
    var distinct = DistinctTexts()
    /// Those that were found last, the last one at the end.
    var remainders: [DistinctRemainder] = []
    /// Indexed by state; those in `free` are empty.
    var records: [Record] = []
    var free: [State] = []
    var numbers: [Stacks: State] = [:]
    /// The transition of each state for each byte class, (states, classes).
    var table: [Transition] = []
    /// Bytes of the stacks of all states.
    var stackBytes = 0
    /// The total number of steps.
    var steps = 0

    // For the closure that is being computed.
    var work: [GrammarFrames.Frame] = []
    private var marks = ClosureMarks()
    private var tops: [Int32] = []
    private var isAccepting = false

    init(_ grammar: Grammar) {
        self.grammar = grammar
        classes = ByteClasses(grammar)
    }

    /// Memory of states and frames in bytes.
    var bytes: Int {
        stackBytes + numbers.count * bytesPerState + frames.count * GrammarFrames.bytesPerFrame + distinct.bytes
            + remainders.reduce(0) { $0 + $1.bytes }
    }

    private var bytesPerState: Int { classes.count * MemoryLayout<Transition>.stride + 160 }

    func accepts(_ state: State) -> Bool { state >= 0 && records[Int(state)].stacks.accepts }

    /// Whether no byte can follow.
    func isFinal(_ state: State) -> Bool { state >= 0 && tops(of: state).isEmpty }

    func tops(of state: State) -> [Int32] { records[Int(state)].stacks.tops }

    /// The start state; if the grammar has no text, a state in which nothing follows.
    ///
    /// - Parameter skipsLayout: whether the state is the one after the layout that may precede the text.
    mutating func start(skipsLayout: Bool = false) throws(GrammarLimit) -> State {
        begin()
        push(rule: skipsLayout ? grammar.answer : grammar.root, parent: GrammarFrames.none)
        let state = try finish(from: steps)
        return state == Self.dead ? number(of: Stacks(tops: [], accepts: false)) : state
    }

    /// The transition if it is known, in O(1). `nil`: it must be computed.
    func known(_ state: State, _ byte: UInt8) -> Transition? {
        guard state >= 0 else { return Transition(next: Self.dead, cost: 0) }
        let transition = table[Int(state) * classes.count + Int(classes.ofByte[Int(byte)])]
        return transition.next == Self.unknown ? nil : transition
    }

    /// The transition of a state for a byte. O(1) if it is known, otherwise at most ``mostSteps`` steps.
    mutating func step(_ state: State, _ byte: UInt8) throws(GrammarLimit) -> Transition {
        if let known = known(state, byte) { return known }
        let before = steps
        let byteClass = classes.ofByte[Int(byte)]
        let old = tops(of: state)
        steps += 1 + old.count >> 4
        begin()
        for top in old {
            let frame = frames[top]
            guard case .bytes(let set) = grammar.elements[Int(frame.element)],
                classes.sets[Int(set)].contains(byteClass)
            else { continue }
            let parent = grammar.hasDistinct ? try advanced(frame.parent, by: byte, from: before) : frame.parent
            work.append(GrammarFrames.Frame(element: frame.element + 1, parent: parent))
            try close(from: before)
        }
        var next = try finish(from: before)
        if grammar.hasDistinct { next = try droppingHopeless(next, from: before) }
        let transition = Transition(next: next, cost: Int32(steps - before))
        table[Int(state) * classes.count + Int(byteClass)] = transition
        return transition
    }

    // MARK: Closures

    mutating func begin() {
        work.removeAll(keepingCapacity: true)
        tops.removeAll(keepingCapacity: true)
        marks.removeAll()
        isAccepting = false
    }

    /// The state of the stacks that were found, including those that result from `work`.
    mutating func finish(from before: Int) throws(GrammarLimit) -> State {
        try close(from: before)
        try prune(from: before)
        guard tops.count <= Self.mostStacks else { throw .parallelParses(Self.mostStacks) }
        return tops.isEmpty && !isAccepting ? Self.dead : number(of: Stacks(tops: tops, accepts: isAccepting))
    }

    private mutating func push(rule: Int32, parent: Int32) {
        // In the order of the alternatives.
        for start in grammar.sequences(of: rule).reversed() {
            work.append(GrammarFrames.Frame(element: start, parent: parent))
        }
    }

    mutating func frame(
        _ element: Int32, _ parent: Int32, _ count: Int32 = 0, memo: Int32 = 0
    ) throws(GrammarLimit) -> Int32 {
        guard frames.depth(of: parent) < Self.mostDepth else { throw .depth(Self.mostDepth) }
        return frames.number(
            of: GrammarFrames.Frame(element: element, parent: parent, count: count, memo: memo), in: grammar)
    }

    /// The position after an element. An element at the end of its rule needs no frame, so loops do not grow the stack.
    private mutating func back(_ element: Int32, _ parent: Int32) throws(GrammarLimit) -> Int32 {
        grammar.elements[Int(element) + 1] == .end ? parent : try frame(element + 1, parent)
    }

    /// Adds the stacks that result from the frames in `work`.
    private mutating func close(from before: Int) throws(GrammarLimit) {
        while let next = work.popLast() {
            steps += 1
            guard steps - before <= Self.mostSteps else { throw .stepsPerByte(Self.mostSteps) }
            let (element, parent) = (next.element, next.parent)
            switch grammar.elements[Int(element)] {
            case .end:
                if parent == GrammarFrames.none { isAccepting = true } else { work.append(frames[parent]) }
            case .bytes:
                if marks.insert(next, isComparable: false) { tops.append(try frame(element, parent)) }
            case .rule(let rule):
                if marks.insert(next, isComparable: false) { push(rule: rule, parent: try back(element, parent)) }
            case .distinct(let rule):
                guard marks.insert(next, isComparable: false) else { continue }
                if next.count == 0 {
                    // No further text can be added to a closed set.
                    guard frames[parent].memo != DistinctTexts.closed else { continue }
                    push(rule: rule, parent: try frame(element, parent, 1))
                } else if let behind = try behindDistinct(next) {
                    work.append(behind)
                }
            case .repetition(let number):
                let repetition = grammar.repetitions[Int(number)]
                let mayEnd = next.count >= repetition.least
                // If it was met before after at most as many rounds, it leads to nothing new. This ends empty rounds.
                guard marks.insert(next, isComparable: mayEnd) else { continue }
                if mayEnd { work.append(GrammarFrames.Frame(element: element + 1, parent: parent)) }
                guard next.count < repetition.most ?? .max else { continue }
                // Beyond the minimum, rounds of an unbounded repetition are not counted.
                let enough = repetition.first == nil ? repetition.least : max(repetition.least, 1)
                let rounds = repetition.most == nil ? min(next.count + 1, enough) : next.count + 1
                let isOnce = repetition.most == 1 && repetition.first == nil
                let back =
                    isOnce ? try back(element, parent) : try frame(element, parent, rounds, memo: next.memo)
                push(rule: next.count == 0 ? repetition.first ?? repetition.body : repetition.body, parent: back)
            }
        }
    }

    /// Maximum number of stacks of the same shape that a stack is compared with.
    private static let mostCompared = 16

    /// Drops stacks whose continuations are all included in those of another stack. Otherwise nested counts multiply.
    private mutating func prune(from before: Int) throws(GrammarLimit) {
        guard tops.count > 1, tops.contains(where: { frames.records[Int($0)].isCounted }) else { return }
        var kept: [Int32] = []
        var shapes: [UInt64: [Int]] = [:]
        var isDropped: [Bool] = []
        for top in tops {
            let shape = frames.records[Int(top)].shape
            let others = (shapes[shape] ?? []).suffix(Self.mostCompared)
            steps += 1 + others.count
            guard steps - before <= Self.mostSteps else { throw .stepsPerByte(Self.mostSteps) }
            guard !others.contains(where: { frames.includes(kept[$0], top, grammar) }) else { continue }
            for other in others where frames.includes(top, kept[other], grammar) { isDropped[other] = true }
            shapes[shape] = others.filter { !isDropped[$0] } + [kept.count]
            kept.append(top)
            isDropped.append(false)
        }
        tops = kept.indices.filter { !isDropped[$0] }.map { kept[$0] }
    }

    /// The state with these stacks. O(classes + stacks).
    mutating func number(of stacks: Stacks) -> State {
        if let number = numbers[stacks] { return number }
        let record = Record(stacks: stacks)
        let row = repeatElement(Transition(next: Self.unknown, cost: 0), count: classes.count)
        let state: State
        if let reused = free.popLast() {
            state = reused
            records[Int(state)] = record
            table.replaceSubrange(Int(state) * classes.count..<(Int(state) + 1) * classes.count, with: row)
        } else {
            state = State(records.count)
            records.append(record)
            table += row
        }
        numbers[stacks] = state
        stackBytes += stacks.tops.count * 4
        return state
    }
}
