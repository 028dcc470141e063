/// A matcher that finds stop strings in a stream of text and holds back only text that may be the beginning of one.
///
/// The stop string that is completed first ends the text, regardless of how the text is split. Of those completed by the same byte,
/// the longest one counts. The text before it is released. The stop string and the text after it are not.
///
/// Released text ends at a character boundary if the appended text does: stop strings are well-formed UTF-8, so held-back text
/// begins at the start of a character.
///
/// Each stop string is matched with the algorithm of Knuth, Morris and Pratt, so the time is linear in the length of the text times
/// the number of stop strings. The table is built only as far as the text has matched, so a long stop string costs no more than the
/// text, and nothing at the start. Strings are compared byte by byte.
struct StopMatcher: Sendable {
    /// The result of appending a part of the text.
    struct Output: Sendable {
        /// The bytes that may be released. They may be empty.
        var text: [UInt8]
        /// The stop string that ended the text, or `nil` while the text continues.
        var match: Match?
    }

    struct Match: Sendable {
        var stop: String
    }

    private var patterns: [Pattern]
    private var isFinished = false

    /// - Parameter stops: The stop strings. Empty ones are ignored.
    init(stops: [String]) {
        patterns = stops.filter { !$0.isEmpty }.map(Pattern.init)
    }

    /// Appends the next bytes of the text. Nothing more is released after a match.
    mutating func append(_ bytes: [UInt8]) -> Output {
        if isFinished { return Output(text: [], match: nil) }
        let held = heldBytes
        for (index, byte) in bytes.enumerated() {
            guard let stop = advance(byte) else { continue }
            isFinished = true
            let end = held.count + index + 1 - stop.utf8.count
            return Output(text: StopMatcher.prefix(end, of: held, then: bytes), match: Match(stop: stop))
        }
        let end = held.count + bytes.count - heldBytes.count
        return Output(text: StopMatcher.prefix(end, of: held, then: bytes), match: nil)
    }

    /// Ends the text and returns the bytes that are still held back. The result is empty after a match.
    mutating func flush() -> [UInt8] {
        defer { isFinished = true }
        return isFinished ? [] : Array(heldBytes)
    }

    /// The longest end of the text that is the beginning of a stop string.
    private var heldBytes: ArraySlice<UInt8> {
        patterns.max { $0.matched < $1.matched }.map { $0.bytes[..<$0.matched] } ?? []
    }

    /// Returns the longest stop string that `byte` completes.
    private mutating func advance(_ byte: UInt8) -> String? {
        var complete: String?
        for index in patterns.indices where patterns[index].advance(byte) {
            let stop = patterns[index].stop
            if stop.utf8.count > complete?.utf8.count ?? 0 { complete = stop }
        }
        return complete
    }

    private static func prefix(_ count: Int, of held: ArraySlice<UInt8>, then bytes: [UInt8]) -> [UInt8] {
        Array(held.prefix(count)) + bytes.prefix(max(0, count - held.count))
    }
}

extension StopMatcher {
    private struct Pattern: Sendable {
        let stop: String
        let bytes: [UInt8]
        /// For each prefix that the text has reached, at index length - 1, the length of its longest proper suffix that is also a
        /// prefix.
        private var borders: [Int] = [0]
        /// The length of the longest prefix of the stop string with which the text ends.
        private(set) var matched = 0

        init(_ stop: String) {
            self.stop = stop
            bytes = Array(stop.utf8)
        }

        /// Advances the match and returns whether `byte` completes the stop string.
        mutating func advance(_ byte: UInt8) -> Bool {
            while matched > 0, bytes[matched] != byte { matched = borders[matched - 1] }
            if bytes[matched] == byte { matched += 1 }
            if matched > borders.count { addBorder() }
            return matched == bytes.count
        }

        /// Computes the border of the next longer prefix.
        private mutating func addBorder() {
            let byte = bytes[borders.count]
            var border = borders[borders.count - 1]
            while border > 0, bytes[border] != byte { border = borders[border - 1] }
            borders.append(bytes[border] == byte ? border + 1 : 0)
        }
    }
}
