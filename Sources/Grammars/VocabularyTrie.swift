import Basics

/// A vocabulary's tokens as one tree of bytes, depth first in flat arrays, so that tokens with a common prefix are tried once.
///
/// About 13 bytes per node; built once per tokenizer.
public final class VocabularyTrie: Sendable {
    /// The byte that leads to each node.
    let bytes: [UInt8]
    let depths: [UInt16]
    /// The first node that is not below this one.
    let ends: [Int32]
    /// The token that ends at a node; -1: none.
    let tokens: [Int32]
    /// The next token with the same bytes, by id; -1: none.
    let twins: [Int32]
    /// The bytes of the tokens that may occur in text, concatenated, and the start of each id's.
    private let texts: [UInt8]
    private let starts: [Int32]
    /// The bytes in a grammar for each marker that is one token. They occur in no text, so that nothing else can spell the
    /// marker.
    let markers: [String: [UInt8]]
    /// The text of each marker, by its token.
    let markerTexts: [Int32: [UInt8]]
    /// Every token that may occur in constrained text.
    let allTokens: TokenMask
    /// Bytes of the longest token.
    let longestToken: Int
    /// All ids are below it.
    public let vocabularySize: Int

    /// O(bytes * log(tokens)): about 250 ms for 200,000 tokens. If the request has ended (``Cancellation``), it stops early and
    /// must not be used.
    ///
    /// - Parameters:
    ///   - tokens: the bytes of each token; empty for those that never occur in constrained text.
    ///   - markers: tokens that structure a reply, such as `</tool_call>`. If a grammar contains one, only this token can write
    ///     it.
    public init(tokens texts: [[UInt8]], markers ids: [String: Int32] = [:]) {
        var texts = texts
        var (markers, markerTexts) = ([String: [UInt8]](), [Int32: [UInt8]]())
        for (index, name) in ids.keys.sorted().enumerated() {
            guard let id = ids[name], texts.indices.contains(Int(id)) else { continue }
            // 0xFF never occurs in UTF-8.
            texts[Int(id)] = [0xFF, UInt8(index)]
            (markers[name], markerTexts[id]) = (texts[Int(id)], Array(name.utf8))
        }
        (self.markers, self.markerTexts) = (markers, markerTexts)
        vocabularySize = texts.count
        let order = texts.indices.filter { !texts[$0].isEmpty }.sorted {
            texts[$0].lexicographicallyPrecedes(texts[$1]) || texts[$0] == texts[$1] && $0 < $1
        }
        var (bytes, depths, tokens, ends) = ([UInt8](), [UInt16](), [Int32](), [Int32]())
        var twins = [Int32](repeating: -1, count: texts.count)
        // The nodes on the way to the last token.
        var path: [Int] = []
        var last: [UInt8] = []
        for (count, id) in order.enumerated() {
            if count & 4095 == 0, Cancellation.isRequested { break }
            let text = texts[id]
            var common = 0
            while common < min(last.count, text.count), last[common] == text[common] { common += 1 }
            while path.count > common { ends[path.removeLast()] = Int32(bytes.count) }
            for index in common..<text.count {
                path.append(bytes.count)
                bytes.append(text[index])
                depths.append(UInt16(clamping: index))
                tokens.append(-1)
                ends.append(0)
            }
            let node = path[path.count - 1]
            twins[id] = tokens[node]
            tokens[node] = Int32(id)
            last = text
        }
        while let node = path.popLast() { ends[node] = Int32(bytes.count) }
        (self.bytes, self.depths, self.tokens, self.ends, self.twins) = (bytes, depths, tokens, ends, twins)
        var allTokens = TokenMask(vocabularySize: texts.count)
        for id in order { allTokens.insert(Int32(id)) }
        self.allTokens = allTokens
        self.texts = Array(texts.joined())
        starts = texts.reduce(into: [0]) { $0.append($0[$0.count - 1] + Int32($1.count)) }
        longestToken = texts.reduce(0) { max($0, $1.count) }
    }

    /// The bytes of a token; empty for a token that cannot be constrained.
    func text(of id: Int32) -> ArraySlice<UInt8> {
        guard id >= 0, id < vocabularySize else { return [] }
        return texts[Int(starts[Int(id)])..<Int(starts[Int(id) + 1])]
    }

    /// The nodes whose path from the root begins with `bytes`; empty if there are none. O(bytes * 256).
    func nodes(behind bytes: ArraySlice<UInt8>) -> Range<Int> {
        var (node, end, last) = (0, self.bytes.count, 0..<0)
        for byte in bytes {
            while node < end, self.bytes[node] != byte { node = Int(ends[node]) }
            guard node < end else { return 0..<0 }
            last = node..<Int(ends[node])
            (node, end) = (node + 1, last.upperBound)
        }
        return last
    }
}

/// A set of token ids.
public struct TokenMask: Sendable, Hashable {
    /// Bit `id % 64` of word `id / 64`.
    public private(set) var words: [UInt64]

    init(vocabularySize: Int) {
        words = Array(repeating: 0, count: (vocabularySize + 63) / 64)
    }

    mutating func insert(_ id: Int32) {
        words[Int(id) >> 6] |= 1 << UInt64(id & 63)
    }

    mutating func remove(_ id: Int32) {
        words[Int(id) >> 6] &= ~(1 << UInt64(id & 63))
    }

    /// Whether the set contains `id`; ids beyond the vocabulary are not contained.
    public func contains(_ id: Int32) -> Bool {
        words.indices.contains(Int(id) >> 6) && words[Int(id) >> 6] >> UInt64(id & 63) & 1 == 1
    }
}
