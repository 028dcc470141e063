/// Reads bytes by a grammar: a pushdown automaton without a choice of its own, since a state is the set of all stacks that
/// the bytes so far allow. Stacks share their frames, states are numbered as they are met, and what a byte makes of a state
/// is computed once.
struct GrammarAutomaton {
    typealias State = Int32

    /// No stack is left.
    static let dead: State = -1
    private static let unknown: State = -2
    private static let noFrame: Int32 = -1

    /// An element that comes next, and where it goes on when its rule has been read.
    private struct Frame: Hashable {
        var element: Int32
        var parent: Int32
    }

    private struct Stacks: Hashable {
        /// Frames of terminal elements, ascending.
        var tops: [Int32]
        /// Whether everything may have been read.
        var accepts: Bool
    }

    /// Stacks that a state has at most. An expression that can be read in more ways loses some of them: what is written under
    /// it is still right, and no request can keep the engine busy.
    private static let mostStacks = 1024

    let grammar: Grammar
    private var frames: [Frame] = []
    private var frameNumbers: [Frame: Int32] = [:]
    private var states: [Stacks] = []
    private var stateNumbers: [Stacks: State] = [:]
    /// What each byte makes of each state, (states, 256)
    private var table: [State] = []

    init(_ grammar: Grammar) {
        self.grammar = grammar
    }

    var stateCount: Int { states.count }

    mutating func start() -> State {
        var (tops, accepts) = (Set<Int32>(), false)
        for start in grammar.rules[grammar.root] { expand(start, Self.noFrame, &tops, &accepts) }
        return number(of: tops, accepts)
    }

    func accepts(_ state: State) -> Bool { state >= 0 && states[Int(state)].accepts }

    /// Whether no byte can follow.
    func isFinal(_ state: State) -> Bool { state >= 0 && states[Int(state)].tops.isEmpty }

    /// As ``step(_:_:)``; `nil` where that has to be computed.
    func knownStep(_ state: State, _ byte: UInt8) -> State? {
        guard state >= 0 else { return Self.dead }
        let known = table[Int(state) << 8 | Int(byte)]
        return known == Self.unknown ? nil : known
    }

    mutating func step(_ state: State, _ byte: UInt8) -> State {
        guard state >= 0 else { return Self.dead }
        let place = Int(state) << 8 | Int(byte)
        let known = table[place]
        if known != Self.unknown { return known }
        var (tops, accepts) = (Set<Int32>(), false)
        for top in states[Int(state)].tops {
            let frame = frames[Int(top)]
            guard case .bytes(let set) = grammar.elements[Int(frame.element)], grammar.sets[set].contains(byte) else {
                continue
            }
            expand(Int(frame.element) + 1, frame.parent, &tops, &accepts)
        }
        let next = tops.isEmpty && !accepts ? Self.dead : number(of: tops, accepts)
        table[place] = next
        return next
    }

    /// Adds the stacks that come of `element` on top of `parent`.
    private mutating func expand(_ element: Int, _ parent: Int32, _ tops: inout Set<Int32>, _ accepts: inout Bool) {
        var work = [(element, parent)]
        var seen = Set<Frame>()
        while let (element, parent) = work.popLast() {
            switch grammar.elements[element] {
            case .bytes: tops.insert(number(of: Frame(element: Int32(element), parent: parent)))
            case .end:
                if parent == Self.noFrame {
                    accepts = true
                } else {
                    let frame = frames[Int(parent)]
                    work.append((Int(frame.element), frame.parent))
                }
            case .rule(let rule):
                guard seen.insert(Frame(element: Int32(element), parent: parent)).inserted else { continue }
                // A call at the end of a rule needs no frame: loops do not pile up.
                let isLast = grammar.elements[element + 1] == .end
                let back = isLast ? parent : number(of: Frame(element: Int32(element + 1), parent: parent))
                for start in grammar.rules[rule] { work.append((start, back)) }
            }
        }
    }

    private mutating func number(of frame: Frame) -> Int32 {
        if let number = frameNumbers[frame] { return number }
        frames.append(frame)
        frameNumbers[frame] = Int32(frames.count - 1)
        return Int32(frames.count - 1)
    }

    private mutating func number(of tops: Set<Int32>, _ accepts: Bool) -> State {
        let stacks = Stacks(tops: Array(tops.sorted().prefix(Self.mostStacks)), accepts: accepts)
        if let number = stateNumbers[stacks] { return number }
        states.append(stacks)
        stateNumbers[stacks] = State(states.count - 1)
        table += Array(repeating: Self.unknown, count: 256)
        return State(states.count - 1)
    }
}

extension GrammarAutomaton {
    /// A state inside one lexeme, apart from where the lexeme stands.
    struct Lexeme {
        /// As if the lexeme were all there is.
        var state: State
        /// What can follow the lexeme.
        var behind: State
    }

    /// `nil` when `state` is not inside one lexeme only.
    ///
    /// - Parameter longestToken: repetitions that may go on for more rounds than a token has bytes are all alike.
    mutating func lexeme(_ state: State, longestToken: Int) -> Lexeme? {
        guard state >= 0, let first = states[Int(state)].tops.first, !states[Int(state)].accepts,
            let back = lexemeReturn(of: first)
        else { return nil }
        let tops = states[Int(state)].tops
        for top in tops where lexemeReturn(of: top) != back { return nil }
        var inside = Set<Int32>()
        for top in tops {
            guard let frame = uproot(top, from: back, longestToken) else { return nil }
            inside.insert(frame)
        }
        var (behind, accepts) = (Set<Int32>(), false)
        if back == Self.noFrame {
            accepts = true
        } else {
            expand(Int(frames[Int(back)].element), frames[Int(back)].parent, &behind, &accepts)
        }
        return Lexeme(state: number(of: inside, false), behind: number(of: behind, accepts))
    }

    /// Where the outermost lexeme of a stack goes on; `nil` when it is in none.
    private func lexemeReturn(of top: Int32) -> Int32? {
        var found: Int32?
        var frame = top
        while frame != Self.noFrame {
            let (element, parent) = (frames[Int(frame)].element, frames[Int(frame)].parent)
            if grammar.lexemes.contains(grammar.ruleOfElement[Int(element)]) { found = parent }
            frame = parent
        }
        return found
    }

    /// The stack above `back`, as if there were nothing below.
    private mutating func uproot(_ top: Int32, from back: Int32, _ longestToken: Int) -> Int32? {
        var path: [Int32] = []
        var frame = top
        while frame != back {
            guard frame != Self.noFrame else { return nil }
            path.append(frames[Int(frame)].element)
            frame = frames[Int(frame)].parent
        }
        var parent = Self.noFrame
        for element in path.reversed() {
            var element = Int(element)
            if let round = grammar.rounds[element], round.left > longestToken { element = round.like }
            parent = number(of: Frame(element: Int32(element), parent: parent))
        }
        return parent
    }
}
