import Basics

/// Finds added tokens in a text: the leftmost match, and the longest one at that position.
struct AddedTokenMatcher: Sendable {
    enum Part: Hashable {
        case token(Int32)
        case text(Range<Int>)
    }

    private let tokens: [AddedToken]
    /// A trie of the contents: the next node for each node and byte. Node 0 is the root.
    private var edges: [UInt32: Int32] = [:]
    /// The token that ends at each node, as an index into `tokens`, or a negative number. There are at most as many nodes as
    /// bytes of tokens; `TokenizerLimits` keeps this below 2^24, the maximum node in an edge.
    private var ends: [Int32] = [-1]
    private var firstBytes = [Bool](repeating: false, count: 256)

    /// - Parameter spell: returns the bytes to search for, for each token.
    init(_ tokens: [AddedToken], spelled spell: (AddedToken) -> [UInt8]) {
        self.tokens = tokens
        for (index, token) in tokens.enumerated() {
            let content = spell(token)
            guard let first = content.first else { continue }
            firstBytes[Int(first)] = true
            var node = 0
            for byte in content {
                let edge = AddedTokenMatcher.edge(node, byte)
                if let next = edges[edge] {
                    node = Int(next)
                } else {
                    node = ends.count
                    edges[edge] = Int32(node)
                    ends.append(-1)
                }
            }
            if ends[node] < 0 { ends[node] = Int32(index) }
        }
    }

    /// Splits the reader's piece into tokens and the nonempty texts between them.
    ///
    /// A match that is not allowed, because of `single_word` or because a guarded token is not trusted, is skipped as a whole:
    /// shorter tokens inside it are not found. A guarded token that crosses a trust boundary does not match at all, so that
    /// untrusted text cannot hide a trusted token next to it.
    ///
    /// - Parameter trust: the trust of the reader's whole text.
    func split(_ text: PieceReader, trust: TrustMap) -> [Part] {
        let range = text.piece
        var parts: [Part] = []
        var start = range.lowerBound
        var position = range.lowerBound
        while !Cancellation.isRequested, let (match, token) = nextMatch(in: text, from: position, trust) {
            position = match.upperBound
            if token.isGuarded, trust.trust(in: match) == false { continue }
            if token.isSingleWord, touchesWord(match, in: text) { continue }
            let left = token.stripsLeft ? startOfSpace(before: match.lowerBound, in: text, start) : match.lowerBound
            if left > start { parts.append(.text(start..<left)) }
            parts.append(.token(token.id))
            start = token.stripsRight ? text.endOfRun(of: .space, from: match.upperBound) : match.upperBound
        }
        if start < range.upperBound { parts.append(.text(start..<range.upperBound)) }
        return parts
    }

    /// Returns the ids of all tokens that occur in any of `texts`, including overlapping ones.
    func tokens(in texts: [String]) -> Set<Int32> {
        var found: Set<Int32> = []
        for text in texts {
            let bytes = Array(text.utf8)
            for start in bytes.indices where firstBytes[Int(bytes[start])] {
                var node = 0
                for byte in bytes[start...] {
                    guard let next = edges[AddedTokenMatcher.edge(node, byte)] else { break }
                    node = Int(next)
                    if ends[node] >= 0 { found.insert(tokens[Int(ends[node])].id) }
                }
            }
        }
        return found
    }

    private func nextMatch(
        in text: PieceReader, from start: Int, _ trust: TrustMap
    ) -> (Range<Int>, AddedToken)? {
        guard !edges.isEmpty else { return nil }
        for first in start..<text.piece.upperBound {
            // The work at each position is up to the number of bytes of the longest token.
            if first & 4095 == 4095, Cancellation.isRequested { return nil }
            guard firstBytes[Int(text.bytes[first])] else { continue }
            var node = 0
            var position = first
            var longest: (Range<Int>, AddedToken)?
            while let byte = text.byte(at: position), let next = edges[AddedTokenMatcher.edge(node, byte)] {
                node = Int(next)
                position += 1
                guard ends[node] >= 0 else { continue }
                let index = Int(ends[node])
                if tokens[index].isGuarded, trust.trust(in: first..<position) == nil { continue }
                longest = (first..<position, tokens[index])
            }
            if let longest { return longest }
        }
        return nil
    }

    private func touchesWord(_ match: Range<Int>, in text: PieceReader) -> Bool {
        isWord(at: match.upperBound, in: text)
            || (match.lowerBound > text.piece.lowerBound && isWord(at: text.start(before: match.lowerBound), in: text))
    }

    /// Whether the character at `position` is a word character in the engine that the reference uses for added tokens. It is not
    /// the engine of the patterns: joiners are part of words, and the Latin-1 numbers (², ½ and so on) are not.
    private func isWord(at position: Int, in text: PieceReader) -> Bool {
        guard position < text.piece.upperBound else { return false }
        switch text.scalar(at: position).value {
        case 0x200C, 0x200D: return true
        case 0xB2, 0xB3, 0xB9, 0xBC...0xBE: return false
        default: return CharacterClass.word.intersects(text.character(at: position).class)
        }
    }

    private func startOfSpace(before position: Int, in text: PieceReader, _ limit: Int) -> Int {
        var start = position
        var steps = 0
        // Stops at `limit`, because the right strip of the previous token may extend beyond this match.
        while start > limit {
            let previous = text.start(before: start)
            guard CharacterClass.space.intersects(text.character(at: previous).class) else { break }
            start = previous
            steps &+= 1
            if steps % (1 << 14) == 0, Cancellation.isRequested { return start }
        }
        return start
    }

    private static func edge(_ node: Int, _ byte: UInt8) -> UInt32 {
        UInt32(node) << 8 | UInt32(byte)
    }
}
