/// What may follow at a position of a grammar.
public struct GrammarStep: Sendable {
    public var position: CompiledGrammar.Position
    /// The tokens that may come next, those that end the text aside.
    public var mask: TokenMask
    /// Whether the text may end here.
    public var mayEnd: Bool
    /// Whether nothing can follow.
    public var mustEnd: Bool
}

/// A bound of a grammar that was exceeded.
public enum GrammarLimit: Error, Sendable, Hashable, CustomStringConvertible {
    /// The text can be read in more ways at the same time.
    case parallelParses(Int)

    public var description: String {
        switch self {
        case .parallelParses(let most): "uses more than \(most) parallel parses"
        }
    }
}

/// Advances from a position by one token and works out the mask there, in slices, on any thread.
public struct GrammarStepComputation: Sendable {
    private let grammar: CompiledGrammar
    private let from: CompiledGrammar.Position
    private let token: Int32?
    /// The work so far; a unit takes some 10 to 50 ns.
    public private(set) var spentUnits = 0

    /// - Parameter token: `nil`: the step at the position itself.
    public init(_ grammar: CompiledGrammar, from: CompiledGrammar.Position, token: Int32?) {
        (self.grammar, self.from, self.token) = (grammar, from, token)
    }

    /// Does about `units` of work; `nil` when more is to do.
    public mutating func run(units: Int, isCancelled: () -> Bool) -> Result<GrammarStep, GrammarLimit>? {
        guard !isCancelled() else { return nil }
        spentUnits += 1
        return .success(grammar.step(from: from, token: token))
    }
}
