/// Prevents other tokens from spelling a marker that is one token, such as `</think>`.
struct MarkerGuard: Sendable {
    private let marker: [UInt8]
    private let trie: VocabularyTrie
    /// The longest end of the text that may be the beginning of the marker.
    private var tail: [UInt8] = []

    init(marker: [UInt8], _ trie: VocabularyTrie) {
        (self.marker, self.trie) = (marker, trie)
    }

    /// Appends the bytes of a token.
    mutating func append(_ text: ArraySlice<UInt8>) {
        tail = Array((tail + text).suffix(marker.count - 1))
    }

    mutating func removeAll() { tail = [] }

    /// All tokens of text except those that complete the marker; `nil` if none does. O(words of the mask) if one does.
    var mask: TokenMask? {
        var mask: TokenMask?
        for count in 0..<marker.count where tail.suffix(count).elementsEqual(marker.prefix(count)) {
            for node in trie.nodes(behind: marker[count...]) {
                var token = trie.tokens[node]
                while token >= 0 {
                    mask = mask ?? trie.allTokens
                    mask?.remove(token)
                    token = trie.twins[Int(token)]
                }
            }
        }
        return mask
    }
}
