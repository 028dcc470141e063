import TestSupport
import Testing

@testable import Grammars

/// Random expressions with nested counts, compared with a matcher that tries all possibilities.
@Suite struct GrammarPropertyTests {
    private static let texts: [String] = {
        var all = [""]
        var last = [""]
        for _ in 0..<6 {
            last = last.flatMap { [$0 + "a", $0 + "b"] }
            all += last
        }
        return all
    }()

    @Test(arguments: 0..<400)
    func `an expression accepts the texts that it describes`(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        let expression = Expression.random(depth: 4, &random)
        let readers = [
            try GrammarReader(.regex(expression.regex)), try GrammarReader(.gbnf("root ::= \(expression.gbnf)")),
        ]
        for text in Self.texts {
            let isExpected = expression.ends(Array(text.utf8), from: [0]).contains(text.utf8.count)
            for reader in readers {
                #expect(try reader.reads(text) == isExpected, "seed \(seed): \(expression.regex), '\(text)'")
            }
        }
    }

    private static let trie = VocabularyTrie(
        tokens: texts.filter { (1...3).contains($0.utf8.count) }.map { Array($0.utf8) } + [[]])

    @Test(arguments: 0..<100)
    func `a mask has the tokens that can be read after nested counts`(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        let expression = Expression.random(depth: 4, &random)
        // With counts beyond the longest token, whose masks are shared.
        let wrapped = Expression.times(expression, 0, 40)
        let grammar = try GrammarSource.regex(wrapped.regex).compile(Self.trie)
        var step = try grammar.firstStep()
        for _ in 0..<60 {
            let tokens = (0..<Int32(Self.trie.vocabularySize))
            let allowed = try tokens.filter { try grammar.reads($0, at: step.position) }
            #expect(tokens.filter { step.mask.contains($0) } == allowed, "seed \(seed): \(wrapped.regex)")
            guard let token = allowed.randomElement(using: &random) else { break }
            let next = try grammar.step(from: step.position, token: token)
            let known = grammar.knownStep(from: step.position, token: token)
            #expect(known?.position === next.position && known?.mask == next.mask)
            step = next
        }
    }
}

/// A regular expression over the letters a and b.
private indirect enum Expression {
    case letters(String)
    case sequence([Expression])
    case choice([Expression])
    case times(Expression, Int, Int?)

    static func random(depth: Int, _ random: inout SeededGenerator) -> Expression {
        switch Int.random(in: 0..<(depth > 0 ? 7 : 1), using: &random) {
        case 0: return .letters(["a", "b", "ab"].randomElement(using: &random) ?? "a")
        case 1: return .sequence((0..<2).map { _ in Expression.random(depth: depth - 1, &random) })
        case 2: return .choice((0..<2).map { _ in Expression.random(depth: depth - 1, &random) })
        default:
            let least = Int.random(in: 0...3, using: &random)
            let most = random.oneIn(4) ? nil : least + Int.random(in: 0...3, using: &random)
            return .times(Expression.random(depth: depth - 1, &random), least, most)
        }
    }

    var regex: String {
        switch self {
        case .letters(let letters): "[\(letters)]"
        case .sequence(let parts): "(?:" + parts.map(\.regex).joined() + ")"
        case .choice(let parts): "(?:" + parts.map(\.regex).joined(separator: "|") + ")"
        case .times(let part, let least, let most): "(?:\(part.regex)){\(least),\(most.map(String.init) ?? "")}"
        }
    }

    var gbnf: String {
        switch self {
        case .letters(let letters): "[\(letters)]"
        case .sequence(let parts): "(" + parts.map(\.gbnf).joined(separator: " ") + ")"
        case .choice(let parts): "(" + parts.map(\.gbnf).joined(separator: " | ") + ")"
        case .times(let part, let least, let most): "(\(part.gbnf)){\(least),\(most.map(String.init) ?? "")}"
        }
    }

    /// The possible end positions of a match that began at some positions.
    func ends(_ text: [UInt8], from starts: Set<Int>) -> Set<Int> {
        switch self {
        case .letters(let letters):
            return Set(starts.filter { $0 < text.count && letters.utf8.contains(text[$0]) }.map { $0 + 1 })
        case .sequence(let parts): return parts.reduce(starts) { $1.ends(text, from: $0) }
        case .choice(let parts): return parts.reduce(into: []) { $0.formUnion($1.ends(text, from: starts)) }
        case .times(let part, let least, let most):
            var current = starts
            for _ in 0..<least { current = part.ends(text, from: current) }
            var all = current
            // Each round except an empty one reads a byte, so the number of rounds is limited by the number of bytes.
            for _ in 0..<min((most ?? .max) - least, text.count) {
                current = part.ends(text, from: current)
                all.formUnion(current)
            }
            return all
        }
    }
}
