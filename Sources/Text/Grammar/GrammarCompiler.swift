import Synchronization

/// Compiles grammars for one tokenizer and keeps those that were used last, with all that they have worked out.
public final class GrammarCompiler: Sendable {
    private struct Key: Hashable {
        var source: GrammarSource
        var beginsWithSpace: Bool
    }

    private struct Memory {
        var trie: VocabularyTrie?
        /// With the number of their last use.
        var grammars: [Key: (grammar: CompiledGrammar, use: Int)] = [:]
        var uses = 0
    }

    /// Each takes 16 MB at most with 200k tokens, where its requests do not keep it.
    private static let mostGrammars = 16

    private let tokenizer: Tokenizer
    private let memory = Mutex(Memory())

    public init(_ tokenizer: Tokenizer) {
        self.tokenizer = tokenizer
    }

    /// - Parameter beginsWithSpace: as in ``GrammarSource/compile(_:beginsWithSpace:)``.
    /// - Throws: `GrammarError` that names what cannot be enforced.
    public func compile(_ source: GrammarSource, beginsWithSpace: Bool) throws(GrammarError) -> CompiledGrammar {
        let key = Key(source: source, beginsWithSpace: beginsWithSpace)
        let known = memory.withLock { memory in
            memory.uses += 1
            memory.grammars[key]?.use = memory.uses
            return memory.grammars[key]?.grammar
        }
        if let known, !known.isFull { return known }
        let grammar = try source.compile(trie(), beginsWithSpace: beginsWithSpace)
        memory.withLock { memory in
            if memory.grammars.count >= Self.mostGrammars,
                let oldest = memory.grammars.min(by: { $0.value.use < $1.value.use })?.key
            {
                memory.grammars[oldest] = nil
            }
            memory.grammars[key] = (grammar, memory.uses)
        }
        return grammar
    }

    /// Made when it is first needed: most servers never do.
    private func trie() -> VocabularyTrie {
        if let trie = memory.withLock({ $0.trie }) { return trie }
        let trie = tokenizer.makeVocabularyTrie()
        memory.withLock { $0.trie = trie }
        return trie
    }
}
