/// The tokens that may follow at a position of a grammar.
public struct GrammarStep: Sendable {
    public let position: CompiledGrammar.Position
    /// The tokens that may come next.
    public let mask: TokenMask
    /// Whether the text may end here.
    public let mayEnd: Bool
    /// Whether the text must end here: nothing may follow.
    public let mustEnd: Bool
}

/// Advances from a position by one token and computes the tokens that may follow there, in slices, on any thread.
///
/// Computations of the same grammar share results. A copy continues from the state of the original.
public struct GrammarStepComputation: Sendable {
    private let grammar: CompiledGrammar
    private let from: CompiledGrammar.Position
    private let token: Int32?
    /// The position after `bytesRead` bytes of the token; `nil` if the grammar does not allow them.
    private var current: CompiledGrammar.Position?
    private var bytesRead = 0
    /// Units of work so far; a unit is about one node of the vocabulary's trie or one step of the parser.
    public private(set) var spentUnits = 0

    /// - Parameter token: the token after `position`; `nil`: none. A token that the grammar does not allow there, such as an
    ///   end of sequence, keeps the position.
    public init(_ grammar: CompiledGrammar, from position: CompiledGrammar.Position, token: Int32?) {
        (self.grammar, from, self.token, current) = (grammar, position, token, position)
    }

    /// Units between two checks for cancellation; the lock is released as often.
    private static let unitsPerLook = 1_024

    /// Does about this many units of work, of 5 to 50 ns each; a piece of at most `GrammarAutomaton.mostSteps` is not divided.
    ///
    /// - Parameter isCancelled: called every 1,024 units, without a lock. If it returns true, this returns `nil` at once.
    /// - Returns: `nil` if there is more work.
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
        // Keeps the state alive until the next slice.
        let position = masks.automaton.position(of: state)
        current = position
        guard bytesRead == text.count else { return nil }
        return try masks.work(on: state, units: units, spent: &spent)
    }
}
