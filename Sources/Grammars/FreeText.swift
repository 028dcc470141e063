import Basics

/// Text up to one of several strings: an automaton of their prefixes (Aho and Corasick), one rule for each of its states.
struct FreeText {
    typealias Part = GrammarBuilder.Part

    /// A character, or a marker that is one token.
    private enum Symbol: Hashable {
        case scalar(Unicode.Scalar)
        case marker([UInt8])
    }

    private struct Node {
        var children: [Symbol: Int] = [:]
        var fallback = 0
        /// The first string that ends at this node.
        var stop: Int?
    }

    /// Maximum number of characters of all strings together.
    private static let mostNodes = 10_000

    private var nodes = [Node()]
    private var symbols: Set<Symbol> = []

    /// - Throws: `GrammarError` if the strings are too long.
    init(stops: [String], _ builder: GrammarBuilder) throws(GrammarError) {
        for (index, stop) in stops.enumerated() { try add(stop, index, builder) }
        // Breadth first: the fallback of a node is known before its children need it.
        var order = Array(nodes[0].children.values)
        var position = 0
        while position < order.count {
            let node = order[position]
            position += 1
            if Cancellation.isRequested { throw .cancelled }
            for (symbol, child) in nodes[node].children {
                var fallback = nodes[node].fallback
                while fallback != 0, nodes[fallback].children[symbol] == nil { fallback = nodes[fallback].fallback }
                let target = nodes[fallback].children[symbol] ?? 0
                nodes[child].fallback = target
                if nodes[child].stop == nil { nodes[child].stop = nodes[target].stop }
                order.append(child)
            }
        }
    }

    private mutating func add(_ stop: String, _ index: Int, _ builder: GrammarBuilder) throws(GrammarError) {
        var node = 0
        if Cancellation.isRequested { throw .cancelled }
        for symbol in Self.symbols(of: stop, builder) {
            symbols.insert(symbol)
            if let child = nodes[node].children[symbol] {
                node = child
                continue
            }
            guard nodes.count < Self.mostNodes else {
                throw GrammarError(path: "", reason: "has more than \(Self.mostNodes) characters that end free text")
            }
            nodes[node].children[symbol] = nodes.count
            node = nodes.count
            nodes.append(Node())
        }
        if nodes[node].stop == nil { nodes[node].stop = index }
    }

    private static func symbols(of text: String, _ builder: GrammarBuilder) -> [Symbol] {
        guard case .literal(let bytes) = builder.markedText(text) else { return [] }
        var symbols: [Symbol] = []
        var rest = bytes[...]
        while let mark = rest.firstIndex(of: 0xFF) {
            symbols += String(decoding: rest[..<mark], as: UTF8.self).unicodeScalars.map(Symbol.scalar)
            symbols.append(.marker(Array(rest[mark...(mark + 1)])))
            rest = rest[(mark + 2)...]
        }
        return symbols + String(decoding: rest, as: UTF8.self).unicodeScalars.map(Symbol.scalar)
    }

    private func next(_ node: Int, _ symbol: Symbol) -> Int {
        var node = node
        while node != 0, nodes[node].children[symbol] == nil { node = nodes[node].fallback }
        return nodes[node].children[symbol] ?? 0
    }

    /// Defines the rule of free text.
    ///
    /// - Parameters:
    ///   - mayEnd: whether the text may end without one of the strings.
    ///   - behind: the part after each string; `nil`: the string must not occur.
    mutating func define(
        _ rule: Int, mayEnd: Bool, _ builder: inout GrammarBuilder, behind: (Int) -> Part?
    ) throws(GrammarError) {
        let rules = nodes.indices.map { $0 == 0 ? rule : builder.declare() }
        let known = CharacterRanges(
            unionOf: symbols.compactMap { symbol in
                if case .scalar(let scalar) = symbol { CharacterRanges(scalar) } else { nil }
            })
        let other = try builder.rule(CharacterRanges.all.subtracting(known).utf8)
        for node in nodes.indices where nodes[node].stop == nil {
            if Cancellation.isRequested { throw .cancelled }
            try builder.visit(1 + symbols.count / 16)
            var choices: [Part] = mayEnd ? [.nothing] : []
            choices.append(.sequence([other, .rule(rule)]))
            for symbol in symbols {
                let target = next(node, symbol)
                let text: Part =
                    switch symbol {
                    case .scalar(let scalar): .text(String(Character(scalar)))
                    case .marker(let bytes): .literal(bytes)
                    }
                if let stop = nodes[target].stop {
                    if let rest = behind(stop) { choices.append(.sequence([text, rest])) }
                } else if target != 0 {
                    choices.append(.sequence([text, .rule(rules[target])]))
                } else if case .scalar = symbol {
                    choices.append(.sequence([text, .rule(rule)]))
                }
            }
            try builder.define(rules[node], .choice(choices))
        }
    }
}
