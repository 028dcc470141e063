/// A pattern of `patternProperties`, and the schema for members whose names it matches.
struct NamePattern {
    let schema: JSONValue
    let path: String
    /// A name that matches, as it is written inside a string.
    let key: GrammarBuilder.Part
    private let automaton: GrammarAutomaton

    /// - Throws: `GrammarError` for what cannot be enforced of the pattern.
    init(_ pattern: String, _ schema: JSONValue, path: String) throws(GrammarError) {
        self.schema = schema
        self.path = path
        do throws(GrammarError) {
            key = try RegexGrammar.part(pattern, searches: true, write: JSONGrammar.write)
            var builder = GrammarBuilder()
            let plain = try RegexGrammar.part(pattern, searches: true) { $0.utf8 }
            automaton = GrammarAutomaton(try builder.finish(root: plain))
        } catch {
            throw GrammarError(path: path, reason: error.reason)
        }
    }

    func matches(_ name: String) -> Bool {
        var automaton = automaton
        var state = automaton.start()
        for byte in name.utf8 { state = automaton.step(state, byte) }
        return automaton.accepts(state)
    }
}
