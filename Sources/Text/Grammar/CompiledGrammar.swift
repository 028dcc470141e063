import Synchronization

/// A grammar over a vocabulary: which tokens may come next. Shared by all sequences that follow it; what one has worked out
/// the others need not.
public final class CompiledGrammar: Sendable {
    /// A place in the grammar that a text has come to.
    public final class Position: Sendable {
        fileprivate let state: State

        fileprivate init(_ state: State) {
            self.state = state
        }
    }

    struct State: Sendable, Hashable {
        fileprivate var number: GrammarAutomaton.State
    }

    /// Masks that are kept, of some 25 KB each for 200k tokens.
    private static let mostMasks = 256
    /// States after which it is not given to new requests: about 1.2 KB each.
    private static let mostStates = 8_000

    private struct Memory {
        var automaton: GrammarAutomaton
        var masks: [GrammarAutomaton.State: TokenMask] = [:]
        /// Tokens inside a lexeme, and the nodes of the trie that end it.
        var lexemes: [GrammarAutomaton.State: (mask: TokenMask, exits: [Int])] = [:]
    }

    private let trie: VocabularyTrie
    private let memory: Mutex<Memory>
    let start: State

    init(_ grammar: Grammar, _ trie: VocabularyTrie) {
        self.trie = trie
        var automaton = GrammarAutomaton(grammar)
        start = State(number: automaton.start())
        memory = Mutex(Memory(automaton: automaton))
    }

    /// Whether it has grown so much that a new one should be made.
    public var isFull: Bool { memory.withLock { $0.automaton.stateCount > Self.mostStates } }

    /// The place before the first token.
    public func startPosition() throws(GrammarLimit) -> Position { Position(start) }

    /// What is known already; never computes and never waits: `nil` where it is unknown or somebody computes.
    public func knownStep(from position: Position, token: Int32?) -> GrammarStep? {
        let text = token.map { trie.text(of: $0) } ?? []
        return memory.withLockIfAvailable { memory -> GrammarStep? in
            var number = position.state.number
            for byte in text {
                guard let next = memory.automaton.knownStep(number, byte) else { return nil }
                number = next
            }
            if number == GrammarAutomaton.dead { number = position.state.number }
            guard let mask = memory.masks[number] else { return nil }
            return GrammarStep(
                position: Position(State(number: number)), mask: mask, mayEnd: memory.automaton.accepts(number),
                mustEnd: memory.automaton.isFinal(number))
        } ?? nil
    }

    /// Where a token leads, and what may follow there. A token that is none of the grammar's leads nowhere.
    func step(from position: Position, token: Int32?) -> GrammarStep {
        let state = token.flatMap { self.state(after: $0, from: position.state) } ?? position.state
        return GrammarStep(
            position: Position(state), mask: mask(state), mayEnd: accepts(state), mustEnd: isFinal(state))
    }

    /// Where `id` leads; `nil` when it must not come.
    func state(after id: Int32, from state: State) -> State? {
        let text = trie.text(of: id)
        guard !text.isEmpty else { return nil }
        return memory.withLock { memory in
            var number = state.number
            for byte in text { number = memory.automaton.step(number, byte) }
            return number == GrammarAutomaton.dead ? nil : State(number: number)
        }
    }

    /// Whether the text may end here.
    func accepts(_ state: State) -> Bool { memory.withLock { $0.automaton.accepts(state.number) } }

    /// Whether the text must end here.
    func isFinal(_ state: State) -> Bool { memory.withLock { $0.automaton.isFinal(state.number) } }

    /// The tokens that may come next. O(1) for a state that was met before, else O(nodes of the trie that can be reached).
    func mask(_ state: State) -> TokenMask {
        memory.withLock { memory in
            if let mask = memory.masks[state.number] { return mask }
            var mask: TokenMask
            if let lexeme = memory.automaton.lexeme(state.number, longestToken: trie.longestToken) {
                mask = self.mask(in: lexeme, &memory)
            } else {
                mask = TokenMask(vocabularySize: trie.vocabularySize)
                var way = way
                walk(0..<trie.bytes.count, depth: 0, from: state.number, &memory.automaton, &mask, &way)
            }
            if memory.masks.count >= Self.mostMasks { memory.masks.removeAll(keepingCapacity: true) }
            memory.masks[state.number] = mask
            return mask
        }
    }

    /// Tokens that stay inside a lexeme are those of every place where it stands; only those that leave it are tried.
    private func mask(in lexeme: GrammarAutomaton.Lexeme, _ memory: inout Memory) -> TokenMask {
        var way = way
        if memory.lexemes[lexeme.state] == nil {
            var mask = TokenMask(vocabularySize: trie.vocabularySize)
            let exits = walk(0..<trie.bytes.count, depth: 0, from: lexeme.state, &memory.automaton, &mask, &way)
            if memory.lexemes.count >= Self.mostMasks { memory.lexemes.removeAll() }
            memory.lexemes[lexeme.state] = (mask, exits)
        }
        guard let (inside, exits) = memory.lexemes[lexeme.state] else { preconditionFailure("it was just put there") }
        var mask = inside
        for node in exits {
            let below = node + 1..<Int(trie.ends[node])
            walk(below, depth: Int(trie.depths[node]) + 1, from: lexeme.behind, &memory.automaton, &mask, &way)
        }
        return mask
    }

    /// Room for the state before each byte of a token.
    private var way: [GrammarAutomaton.State] { Array(repeating: GrammarAutomaton.dead, count: trie.longestToken + 2) }

    /// Adds the tokens of some subtrees that can be read from a state; returns the nodes where all may have been read.
    @discardableResult private func walk(
        _ nodes: Range<Int>, depth: Int, from state: GrammarAutomaton.State, _ automaton: inout GrammarAutomaton,
        _ mask: inout TokenMask, _ states: inout [GrammarAutomaton.State]
    ) -> [Int] {
        var exits: [Int] = []
        states[0] = state
        var node = nodes.lowerBound
        while node < nodes.upperBound {
            let place = Int(trie.depths[node]) - depth
            let next = automaton.step(states[place], trie.bytes[node])
            guard next != GrammarAutomaton.dead else {
                node = Int(trie.ends[node])
                continue
            }
            let token = trie.tokens[node]
            if token >= 0 {
                mask.insert(token)
                for twin in trie.twins[token] ?? [] { mask.insert(twin) }
            }
            if automaton.accepts(next), trie.ends[node] > node + 1 { exits.append(node) }
            states[place + 1] = next
            node += 1
        }
        return exits
    }
}
