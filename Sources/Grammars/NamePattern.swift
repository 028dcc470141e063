import JSON

/// A pattern of `patternProperties`, and the schema for members whose names it matches.
struct NamePattern {
    let schema: JSONValue
    let path: SchemaPath
    /// A matching name, as written inside a string.
    let key: GrammarBuilder.Part
    private var automaton: GrammarAutomaton
    private let start: GrammarAutomaton.State

    /// - Throws: `GrammarError` if the pattern cannot be enforced.
    init(
        _ pattern: String, _ schema: JSONValue, path: SchemaPath, _ builder: inout GrammarBuilder
    ) throws(GrammarError) {
        self.schema = schema
        self.path = path
        do throws(GrammarError) {
            key = try RegexGrammar.part(pattern, searches: true, &builder, write: JSONGrammar.write)
            var names = GrammarBuilder()
            let name = try RegexGrammar.part(pattern, searches: true, &names) { $0.utf8 }
            automaton = GrammarAutomaton(try names.finish(root: name))
        } catch {
            throw error.isLimit ? error : path.error(error.reason)
        }
        do throws(GrammarLimit) {
            start = try automaton.start()
        } catch {
            throw path.error(error.description)
        }
    }

    /// Counts visits: one for each new step, and one for each 16 bytes.
    mutating func matches(_ name: String, _ builder: inout GrammarBuilder) throws(GrammarError) -> Bool {
        var state = start
        try builder.visit(1 + name.utf8.count / 16)
        for byte in name.utf8 where state != GrammarAutomaton.dead {
            let before = automaton.steps
            do throws(GrammarLimit) {
                state = try automaton.step(state, byte).next
            } catch {
                throw path.error(error.description)
            }
            try builder.visit(automaton.steps - before)
        }
        return automaton.accepts(state)
    }
}
