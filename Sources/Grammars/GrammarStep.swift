/// What may follow at a position of a grammar.
public struct GrammarStep: Sendable {
    public let position: CompiledGrammar.Position
    /// The tokens that may come next.
    public let mask: TokenMask
    /// Whether the text may end here.
    public let mayEnd: Bool
    /// Whether the text must end here: nothing may follow.
    public let mustEnd: Bool
}

/// Advances from a position by one token and finds the tokens that may follow there, in slices, on any thread.
///
/// Several computations of one grammar share what they find. A copy goes on from where the original was.
public struct GrammarStepComputation: Sendable {
    private let grammar: CompiledGrammar
    private let from: CompiledGrammar.Position
    private let token: Int32?
    /// Behind `bytesRead` bytes of the token; `nil`: the grammar does not have them.
    private var current: CompiledGrammar.Position?
    private var bytesRead = 0
    /// Units of work that were done so far: about a node of the vocabulary's trie, or a step of the parser, each.
    public private(set) var spentUnits = 0

    /// - Parameter token: what was read behind `position`; `nil`: nothing. One that the grammar does not have there, such as
    ///   an end of sequence, leaves the position as it is.
    public init(_ grammar: CompiledGrammar, from position: CompiledGrammar.Position, token: Int32?) {
        (self.grammar, from, self.token, current) = (grammar, position, token, position)
    }

    /// Units between two looks at whether it is cancelled; the lock is given back as often.
    private static let unitsPerLook = 1_024

    /// Does about so many units of work, of 5 to 50 ns each; one piece of at most `GrammarAutomaton.mostSteps` is never
    /// divided.
    ///
    /// - Parameter isCancelled: asked every 1,024 units, with no lock held. Where it is true, this returns `nil` at once.
    /// - Returns: `nil`: more is to do.
    public mutating func run(units: Int, isCancelled: () -> Bool) -> Result<GrammarStep, GrammarLimit>? {
        var left = units
        while left > 0, !isCancelled() {
            var spent = 0
            let result = grammar.withMasks { masks -> Result<GrammarStep, GrammarLimit>? in
                do throws(GrammarLimit) {
                    let step = try advance(&masks, units: min(left, Self.unitsPerLook), spent: &spent)
                    return step.map { .success($0) }
                } catch {
                    return .failure(error)
                }
            }
            spentUnits += spent
            left -= max(spent, 1)
            if let result { return result }
        }
        return nil
    }

    private mutating func advance(
        _ masks: inout GrammarMasks, units: Int, spent: inout Int
    ) throws(GrammarLimit) -> GrammarStep? {
        let text = token.map(grammar.text) ?? []
        var state = (current ?? from).state
        while bytesRead < text.count, spent < units {
            let before = masks.automaton.steps
            let next = try masks.automaton.step(state, text[text.startIndex + bytesRead]).next
            spent += 1 + masks.automaton.steps - before
            bytesRead = next == GrammarAutomaton.dead ? text.count : bytesRead + 1
            state = next == GrammarAutomaton.dead ? from.state : next
        }
        // Keeps the state until the next slice.
        let position = masks.automaton.position(of: state)
        current = position
        guard bytesRead == text.count else { return nil }
        return try masks.work(on: state, units: units, spent: &spent)
    }
}
