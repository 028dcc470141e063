@testable import Grammars

/// Whether a grammar accepts all of a text, byte by byte.
final class GrammarReader {
    private var automaton: GrammarAutomaton
    private let start: GrammarAutomaton.State

    init(_ source: GrammarSource) throws {
        automaton = GrammarAutomaton(try source.grammar())
        start = try automaton.start()
    }

    func reads(_ text: String) throws -> Bool {
        var state = start
        for byte in text.utf8 { state = try automaton.step(state, byte).next }
        return automaton.accepts(state)
    }

    /// The largest state while reading a text.
    func mostStacks(_ text: String) throws -> Int {
        var (state, most) = (start, 0)
        for byte in text.utf8 where state != GrammarAutomaton.dead {
            most = max(most, automaton.tops(of: state).count)
            state = try automaton.step(state, byte).next
        }
        return most
    }
}

extension CompiledGrammar {
    /// The step at the start, computed synchronously.
    func firstStep() throws -> GrammarStep { try step(from: try startPosition(), token: nil) }

    /// The step after a token, computed synchronously.
    func step(from position: Position, token: Int32?) throws -> GrammarStep {
        var computation = GrammarStepComputation(self, from: position, token: token)
        while true {
            if let result = computation.run(units: 100_000, isCancelled: { false }) { return try result.get() }
        }
    }

    /// Whether a token is allowed at a position, determined without its mask.
    func reads(_ token: Int32, at position: Position) throws -> Bool {
        let bytes = Array(text(of: token))
        guard !bytes.isEmpty else { return false }
        let result = withMasks { masks -> Result<Bool, GrammarLimit> in
            do throws(GrammarLimit) {
                var state = position.state
                for byte in bytes { state = try masks.automaton.step(state, byte).next }
                return .success(state != GrammarAutomaton.dead)
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }
}
