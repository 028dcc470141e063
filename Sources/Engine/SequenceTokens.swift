/// The token ids of a sequence: those of its prompt, which all choices of the prompt share, and those that it generated.
struct SequenceTokens: Sendable {
    let prompt: [Int32]
    private(set) var generated: [Int32] = []

    init(prompt: [Int32]) {
        self.prompt = prompt
    }

    var count: Int { prompt.count + generated.count }

    /// Appends a generated id. Amortized O(1), because the prompt is never copied.
    mutating func append(_ id: Int32) { generated.append(id) }

    /// Appends the ids of `range` to `target`.
    func copy(_ range: Range<Int>, to target: inout [Int32]) {
        let border = prompt.count
        target += prompt[min(range.lowerBound, border)..<min(range.upperBound, border)]
        target += generated[max(range.lowerBound - border, 0)..<max(range.upperBound - border, 0)]
    }

    /// Returns the last `count` ids, or all if there are fewer.
    func suffix(_ count: Int) -> [Int32] {
        guard count > generated.count else { return Array(generated.suffix(count)) }
        return Array(prompt.suffix(count - generated.count)) + generated
    }
}
