/// Finds the tokens that can be read from a state by a walk over the vocabulary's trie, which can be paused and continued.
/// O(reachable nodes).
struct TrieWalk {
    typealias State = GrammarAutomaton.State

    enum Outcome {
        case isDone
        /// The automaton has reached its memory limit and must drop states.
        case needsMemory
        /// The units are used up.
        case isPaused
    }

    /// Maximum number of steps of one walk, counted as if no transition were known before it, so that the result does not
    /// depend on other requests. Common grammars take up to 20 million steps for 200,000 tokens.
    static let mostSteps = 1 << 28

    private let from: State
    /// The walk covers the trees below these nodes; `nil`: the whole trie.
    private let tops: [Int32]?
    private let collectsExits: Bool
    private(set) var mask: TokenMask
    /// Inner nodes at which the lexeme may end.
    private(set) var exits: [Int32] = []

    /// The state before each byte on the way to the node.
    private var path: [State]
    private var nextTop = 0
    private var node = 0
    private var end = 0
    /// Depth of the current node.
    private var depth = 0
    private var steps = 0

    init(_ trie: VocabularyTrie, from state: State, collectsExits: Bool) {
        (from, tops, self.collectsExits) = (state, nil, collectsExits)
        mask = TokenMask(vocabularySize: trie.vocabularySize)
        path = Array(repeating: GrammarAutomaton.dead, count: trie.longestToken + 2)
        path[0] = state
        end = trie.bytes.count
    }

    /// Adds the tokens that can be read from a state, below some nodes, to `mask`.
    init(_ trie: VocabularyTrie, from state: State, behind tops: [Int32], addingTo mask: TokenMask) {
        (from, self.tops, collectsExits, self.mask) = (state, tops, false, mask)
        path = Array(repeating: GrammarAutomaton.dead, count: trie.longestToken + 2)
        path[0] = state
    }

    /// States that it needs to continue.
    var roots: [State] { path + [from] }

    var bytes: Int { mask.words.count * 8 + exits.count * 4 + path.count * 4 }

    /// Continues for about this many units: one for each node, plus the steps of each unknown transition.
    mutating func run(
        units: Int, _ trie: VocabularyTrie, _ automaton: inout GrammarAutomaton, memory: Int, spent: inout Int
    ) throws(GrammarLimit) -> Outcome {
        if automaton.bytes > memory { return .needsMemory }
        while spent < units {
            if node >= end {
                guard let tops, nextTop < tops.count else { return .isDone }
                let top = Int(tops[nextTop])
                nextTop += 1
                (node, end, depth) = (top + 1, Int(trie.ends[top]), Int(trie.depths[top]) + 1)
                spent += 1
                continue
            }
            let place = Int(trie.depths[node]) - depth
            let (state, byte) = (path[place], trie.bytes[node])
            spent += 1
            let known = automaton.known(state, byte)
            let transition: GrammarAutomaton.Transition
            if let known {
                transition = known
            } else {
                transition = try automaton.step(state, byte)
                spent += Int(transition.cost)
            }
            steps += 1 + Int(transition.cost)
            guard steps <= Self.mostSteps else { throw .stepsPerMask(Self.mostSteps) }
            if transition.next == GrammarAutomaton.dead {
                node = Int(trie.ends[node])
                continue
            }
            var token = trie.tokens[node]
            while token >= 0 {
                mask.insert(token)
                token = trie.twins[Int(token)]
            }
            if collectsExits, trie.ends[node] > node + 1, automaton.accepts(transition.next) {
                exits.append(Int32(node))
            }
            path[place + 1] = transition.next
            node += 1
            if known == nil, automaton.bytes > memory { return .needsMemory }
        }
        return .isPaused
    }
}
