import Basics
import Synchronization

/// Compiles grammars for one vocabulary and keeps those that were used last, with all that they have found.
public final class GrammarCompiler: Sendable {
    private struct Key: Hashable {
        var tenant: String
        var source: [UInt8]
        var beginsWithSpace: Bool
    }

    private struct Reference {
        weak var grammar: CompiledGrammar?
    }

    private struct Memory {
        var trie: VocabularyTrie?
        /// With the number of their last use.
        var grammars: [Key: (grammar: CompiledGrammar, use: Int)] = [:]
        var uses = 0

        /// Every grammar that was compiled and may still be in use.
        var live: [Reference] = []

        mutating func countLive() -> Int {
            live.removeAll { $0.grammar == nil }
            return live.count
        }

        /// What makes room for a grammar: the oldest of the tenant that has most of them, of this one when several do.
        func next(for tenant: String) -> Key? {
            var counts: [String: Int] = [:]
            for key in grammars.keys { counts[key.tenant, default: 0] += 1 }
            let most = counts.values.max() ?? 0
            let largest = counts[tenant] == most ? [tenant] : counts.filter { $0.value == most }.map(\.key)
            return grammars.filter { largest.contains($0.key.tenant) }.min { $0.value.use < $1.value.use }?.key
        }
    }

    /// Grammars that are kept, of at most ``CompiledGrammar/mostBytes`` each. Those of running requests stay longer.
    public static let mostGrammars = 16
    /// Grammars that there may be at a time, kept or in use: with ``CompiledGrammar/mostBytes`` the bound of their memory.
    public static let mostLive = 64

    private let tokens: @Sendable () -> [[UInt8]]
    private let markers: [String: Int32]
    private let memory = Mutex(Memory())

    /// - Parameters:
    ///   - markers: the tokens of ``GrammarSource/markers`` that the vocabulary has.
    ///   - tokens: gives what ``VocabularyTrie/init(tokens:markers:)`` takes; called for the first grammar, and again for the
    ///     next one where that was cancelled.
    public init(markers: [String: Int32] = [:], tokens: @escaping @Sendable () -> [[UInt8]]) {
        (self.markers, self.tokens) = (markers, tokens)
    }

    /// At most some 200 ms, and once 250 ms for 200,000 tokens of the vocabulary; asks ``Cancellation/isRequested``.
    ///
    /// - Parameters:
    ///   - beginsWithSpace: as in ``GrammarSource/compile(_:beginsWithSpace:)``.
    ///   - tenant: on whose account it is compiled. Tenants share no grammars, so none can tell by time what another asks.
    /// - Throws: `GrammarError` that names what cannot be enforced, or the limit that is exceeded.
    public func compile(
        _ source: GrammarSource, beginsWithSpace: Bool, tenant: String = ""
    ) throws(GrammarError) -> CompiledGrammar {
        let key = Key(tenant: tenant, source: source.key, beginsWithSpace: beginsWithSpace)
        let known = memory.withLock { memory in
            memory.uses += 1
            memory.grammars[key]?.use = memory.uses
            return memory.grammars[key]?.grammar
        }
        if let known { return known }
        let trie = try trie()
        guard memory.withLock({ $0.countLive() }) < Self.mostLive else { throw .tooManyInUse }
        let grammar = try source.compile(trie, beginsWithSpace: beginsWithSpace)
        memory.withLock { memory in
            memory.live.append(Reference(grammar: grammar))
            if memory.grammars.count >= Self.mostGrammars, let oldest = memory.next(for: tenant) {
                memory.grammars[oldest] = nil
            }
            memory.grammars[key] = (grammar, memory.uses)
        }
        return grammar
    }

    /// Made when it is first needed: most servers never do.
    private func trie() throws(GrammarError) -> VocabularyTrie {
        if let trie = memory.withLock({ $0.trie }) { return trie }
        let trie = VocabularyTrie(tokens: tokens(), markers: markers)
        guard !Cancellation.isRequested else { throw .cancelled }
        memory.withLock { $0.trie = trie }
        return trie
    }
}
