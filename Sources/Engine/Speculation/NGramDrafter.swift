/// Proposes draft tokens: those that followed when its last tokens occurred before. Replies that
/// repeat their prompt, as summaries, edits of code and answers from documents do, get good drafts, others seldom
/// (Saxena, "Prompt Lookup Decoding", 2023).
enum NGramDrafter {
    /// How many last tokens are looked for: as many as possible, up to `longest`, and not at all below `shortest`.
    static let longest = 4
    static let shortest = 2
    /// How far back they are looked for: 32768 tokens are searched in some 10 us.
    static let horizon = 32768
    /// The last tokens that a draft can depend on.
    static let reach = horizon + longest

    /// `count` draft tokens, or none. Of equally long matches the latest counts; where it reaches the end, it goes on with the
    /// drafts themselves, so that a loop is continued too. O(horizon).
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

    /// Where it goes on after the best match; `nil` when there is none.
    private static func continuation(of tokens: UnsafeBufferPointer<Int32>) -> Int? {
        let end = tokens.count
        var best: (length: Int, continuation: Int)?
        var position = end - 1
        let first = max(0, end - horizon)
        while position > first {
            // Tokens before `position` against the last ones.
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
