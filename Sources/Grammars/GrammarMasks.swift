/// Computes and caches the masks of a grammar's states. All of its memory has one bound; when it is reached, everything is
/// dropped that no request refers to.
struct GrammarMasks {
    typealias State = GrammarAutomaton.State

    /// Maximum bytes of states, frames and masks. After dropping what is not needed, half of it must be free.
    static let mostBytes = 8 << 20

    /// The progress of a state's mask.
    private struct Job {
        var plan: GrammarAutomaton.MaskPlan
        /// The walk over the continuations of a lexeme.
        var walk: TrieWalk?
    }

    /// A walk that several states share.
    private struct Shared: Hashable {
        var state: State
        /// Whether the state is inside a lexeme.
        var isLexeme: Bool
    }

    private let trie: VocabularyTrie
    var automaton: GrammarAutomaton
    private var masks: [State: TokenMask] = [:]
    private var jobs: [State: Job] = [:]
    private var walks: [Shared: TrieWalk] = [:]
    /// Results for lexemes: tokens inside, and the trie nodes at which it can end.
    private var lexemes: [State: (mask: TokenMask, exits: [Int32])] = [:]
    /// Bytes of masks, walks and lexemes.
    private var maskBytes = 0

    init(_ grammar: Grammar, _ trie: VocabularyTrie) {
        self.trie = trie
        automaton = GrammarAutomaton(grammar)
    }

    var bytes: Int { automaton.bytes + maskBytes }

    /// The step at a state whose mask is known.
    mutating func knownStep(_ state: State) -> GrammarStep? {
        guard let mask = masks[state] else { return nil }
        return GrammarStep(
            position: automaton.position(of: state), mask: mask, mayEnd: automaton.accepts(state),
            mustEnd: automaton.isFinal(state))
    }

    /// The step after a token, if all of it is known. O(bytes of the token).
    mutating func knownStep(_ state: State, token: Int32?) -> GrammarStep? {
        var next = state
        for byte in token.map(trie.text) ?? [] {
            guard let transition = automaton.known(next, byte) else { return nil }
            next = transition.next
        }
        // A token that the grammar does not allow there changes nothing.
        return knownStep(next == GrammarAutomaton.dead ? state : next)
    }

    /// Continues the computation of a state's mask for about this many units. Returns the step once the mask is known.
    mutating func work(on state: State, units: Int, spent: inout Int) throws(GrammarLimit) -> GrammarStep? {
        while masks[state] == nil {
            guard spent < units else { return nil }
            let before = automaton.steps
            let job: Job
            if let begun = jobs[state] {
                job = begun
            } else {
                job = Job(plan: try automaton.maskPlan(state, longestToken: trie.longestToken))
                jobs[state] = job
            }
            spent += automaton.steps - before
            switch job.plan {
            case .whole(let like):
                if let mask = masks[like] {
                    keep(mask, of: state)
                } else if let walk = try advance(Shared(state: like, isLexeme: false), for: state, units, &spent) {
                    keep(walk.mask, of: like)
                    keep(walk.mask, of: state)
                }
            case .lexeme(let inside, let behind, let isDistinct):
                if let (mask, exits) = lexemes[inside] {
                    let walk: TrieWalk
                    if let begun = job.walk {
                        walk = begun
                    } else if isDistinct {
                        let before = automaton.steps
                        let left = try automaton.distinctMask(of: state, inside: inside, trie, mask, exits)
                        spent += automaton.steps - before
                        walk = TrieWalk(trie, from: behind, behind: left.exits, addingTo: left.mask)
                    } else {
                        walk = TrieWalk(trie, from: behind, behind: exits, addingTo: mask)
                    }
                    try finish(state, walk, units, &spent)
                } else if let walk = try advance(Shared(state: inside, isLexeme: true), for: state, units, &spent) {
                    lexemes[inside] = (walk.mask, walk.exits)
                    maskBytes += walk.bytes
                }
            }
        }
        return knownStep(state)
    }

    private mutating func keep(_ mask: TokenMask, of state: State) {
        guard masks[state] == nil else { return }
        masks[state] = mask
        maskBytes += mask.words.count * 8
        jobs[state] = nil
    }

    /// Continues the walk after a lexeme.
    private mutating func finish(
        _ state: State, _ begun: TrieWalk, _ units: Int, _ spent: inout Int
    ) throws(GrammarLimit) {
        if let old = jobs[state]?.walk {
            maskBytes -= old.bytes
            // The mask must have a single reference, otherwise it would be copied.
            jobs[state]?.walk = nil
        }
        var walk = begun
        if try run(&walk, for: state, units, &spent) { return keep(walk.mask, of: state) }
        maskBytes += walk.bytes
        jobs[state]?.walk = walk
    }

    /// Continues a shared walk; returns it when it is complete.
    private mutating func advance(
        _ shared: Shared, for state: State, _ units: Int, _ spent: inout Int
    ) throws(GrammarLimit) -> TrieWalk? {
        var walk: TrieWalk
        if let begun = walks.removeValue(forKey: shared) {
            walk = begun
            maskBytes -= walk.bytes
        } else {
            walk = TrieWalk(trie, from: shared.state, collectsExits: shared.isLexeme)
        }
        if try run(&walk, for: state, units, &spent) { return walk }
        maskBytes += walk.bytes
        walks[shared] = walk
        return nil
    }

    private mutating func run(
        _ walk: inout TrieWalk, for state: State, _ units: Int, _ spent: inout Int
    ) throws(GrammarLimit) -> Bool {
        while true {
            let memory = Self.mostBytes - maskBytes - walk.bytes
            switch try walk.run(units: units, trie, &automaton, memory: memory, spent: &spent) {
            case .isDone: return true
            case .isPaused: return false
            case .needsMemory: try compact(keeping: walk.roots + [state])
            }
        }
    }

    /// Drops everything that no request refers to. O(bytes).
    private mutating func compact(keeping roots: [State]) throws(GrammarLimit) {
        // Work that is still needed is kept, and so are its dependencies.
        jobs = jobs.filter { automaton.isReferenced($0.key) || roots.contains($0.key) }
        var needed = roots
        for (state, job) in jobs {
            needed.append(state)
            needed += job.walk?.roots ?? []
            switch job.plan {
            case .whole(let like): needed.append(like)
            case .lexeme(let inside, let behind, _): needed += [inside, behind]
            }
        }
        // One more text in a set takes what was found of the set before.
        needed += automaton.remainders.map(\.inside)
        let isNeeded = Set(needed)
        walks = walks.filter { isNeeded.contains($0.key.state) }
        lexemes = lexemes.filter { isNeeded.contains($0.key) }
        for walk in walks.values { needed += walk.roots }
        _ = automaton.compact(keeping: needed)
        masks = [:]
        maskBytes = jobs.values.reduce(0) { $0 + ($1.walk?.bytes ?? 0) } + walks.values.reduce(0) { $0 + $1.bytes }
        maskBytes += lexemes.values.reduce(0) { $0 + $1.mask.words.count * 8 + $1.exits.count * 4 }
        guard bytes <= Self.mostBytes / 2 else { throw .memory(bytes: Self.mostBytes / 2) }
    }
}
