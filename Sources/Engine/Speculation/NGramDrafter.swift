/// A drafter that proposes the tokens that followed an earlier occurrence of the sequence's last tokens. This works for replies
/// that repeat their prompt, such as summaries, edits of code and answers from documents, and rarely for others (Saxena, "Prompt
/// Lookup Decoding", 2023).
enum NGramDrafter {
    /// The maximum and minimum number of last tokens to match. The longest match is used.
    static let longest = 4
    static let shortest = 2
    /// The maximum distance of a match. Searching 32768 tokens takes about 10 us.
    static let horizon = 32768
    /// The number of last tokens on which a draft can depend.
    static let reach = horizon + longest

    /// Returns `count` draft tokens, or none. Of equally long matches, the latest is used. If the match reaches the end of the
    /// tokens, the drafts themselves follow, so that a loop continues. O(horizon).
    static func drafts(after tokens: [Int32], count: Int) -> [Int32] {
        guard count > 0, tokens.count > shortest else { return [] }
        let source = tokens.withUnsafeBufferPointer { continuation(of: $0) }
        guard let source else { return [] }
        var drafts: [Int32] = []
        drafts.reserveCapacity(count)
        for offset in source..<source + count {
            drafts.append(offset < tokens.count ? tokens[offset] : drafts[offset - tokens.count])
        }
        return drafts
    }

    /// Returns the position after the best match, or `nil` if there is none.
    private static func continuation(of tokens: UnsafeBufferPointer<Int32>) -> Int? {
        let end = tokens.count
        var best: (length: Int, continuation: Int)?
        var position = end - 1
        let first = max(0, end - horizon)
        while position > first {
            // Compares the tokens before `position` with the last ones.
            var length = 0
            while length < longest, length < position, tokens[position - 1 - length] == tokens[end - 1 - length] {
                length += 1
            }
            if length >= shortest, length > best?.length ?? 0 {
                best = (length, position)
                if length == longest { break }
            }
            position -= 1
        }
        return best?.continuation
    }
}
