import Basics
import Synchronization

/// Compiles grammars for one vocabulary and caches the most recently used ones with their masks.
public final class GrammarCompiler: Sendable {
    private struct Key: Hashable {
        var tenant: String
        var source: [UInt8]
        var beginsWithSpace: Bool
    }

    private struct Reference {
        weak var grammar: CompiledGrammar?
        var tenant: String
    }

    private struct Memory {
        var trie: VocabularyTrie?
        /// With the sequence number of their last use.
        var grammars: [Key: (grammar: CompiledGrammar, use: Int)] = [:]
        var uses = 0

        /// Every compiled grammar that may still be in use.
        var live: [Reference] = []
        /// The tenants of the grammars that are being compiled.
        var compiling: [String] = []

        /// Reserves a place for one more grammar until ``release(for:)``. A tenant gets at most three times what is left, so
        /// that none takes all; requests without a key are one tenant, which may take all.
        mutating func reserve(for tenant: String) -> Bool {
            live.removeAll { $0.grammar == nil }
            let tenants = live.map(\.tenant) + compiling
            let left = GrammarCompiler.mostLive - tenants.count
            guard left > 0, tenant.isEmpty || tenants.filter({ $0 == tenant }).count < 3 * left else { return false }
            compiling.append(tenant)
            return true
        }

        mutating func release(for tenant: String) {
            if let index = compiling.firstIndex(of: tenant) { compiling.remove(at: index) }
        }

        /// The grammar to evict: the oldest of the tenant that has most of them; if several have, of this tenant.
        func next(for tenant: String) -> Key? {
            var counts: [String: Int] = [:]
            for key in grammars.keys { counts[key.tenant, default: 0] += 1 }
            let most = counts.values.max() ?? 0
            let largest = counts[tenant] == most ? [tenant] : counts.filter { $0.value == most }.map(\.key)
            return grammars.filter { largest.contains($0.key.tenant) }.min { $0.value.use < $1.value.use }?.key
        }
    }

    /// Maximum number of cached grammars, of at most ``CompiledGrammar/mostBytes`` each. Those of running requests stay longer.
    public static let mostGrammars = 16
    /// Maximum number of grammars, cached or in use, of which one tenant gets at most 3/4: together with
    /// ``CompiledGrammar/mostBytes`` it bounds their memory.
    public static let mostLive = 64

    private let tokens: @Sendable () -> [[UInt8]]
    private let markers: [String: Int32]
    private let memory = Mutex(Memory())

    /// - Parameters:
    ///   - markers: the tokens of ``GrammarSource/markers`` that the vocabulary has.
    ///   - tokens: returns the argument of ``VocabularyTrie/init(tokens:markers:)``; called for the first grammar, and again
    ///     for the next one if that was cancelled.
    public init(markers: [String: Int32] = [:], tokens: @escaping @Sendable () -> [[UInt8]]) {
        (self.markers, self.tokens) = (markers, tokens)
    }

    /// Takes at most about 200 ms, and once 250 ms for a vocabulary of 200,000 tokens; checks ``Cancellation/isRequested``.
    ///
    /// - Parameters:
    ///   - beginsWithSpace: as in ``GrammarSource/compile(_:beginsWithSpace:)``.
    ///   - tenant: the tenant of the request. Tenants do not share grammars, so none can learn from the time what another one
    ///     uses.
    /// - Throws: `GrammarError` that names what cannot be enforced, or the exceeded limit.
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
        guard memory.withLock({ $0.reserve(for: tenant) }) else { throw .tooManyInUse }
        defer { memory.withLock { $0.release(for: tenant) } }
        let grammar = try source.compile(trie, beginsWithSpace: beginsWithSpace)
        memory.withLock { memory in
            memory.live.append(Reference(grammar: grammar, tenant: tenant))
            if memory.grammars.count >= Self.mostGrammars, let oldest = memory.next(for: tenant) {
                memory.grammars[oldest] = nil
            }
            memory.grammars[key] = (grammar, memory.uses)
        }
        return grammar
    }

    /// Built on first use: most servers never need it.
    private func trie() throws(GrammarError) -> VocabularyTrie {
        if let trie = memory.withLock({ $0.trie }) { return trie }
        let trie = VocabularyTrie(tokens: tokens(), markers: markers)
        guard !Cancellation.isRequested else { throw .cancelled }
        memory.withLock { $0.trie = trie }
        return trie
    }
}
