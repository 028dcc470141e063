import Testing

@testable import Engine

@Suite struct NGramDrafterTests {
    @Test(
        arguments: [
            // The tokens after the last occurrence of the longest match.
            ([1, 2, 3, 4, 9, 1, 2], 2, [3, 4]),
            ([1, 2, 3, 7, 2, 3, 8, 1, 2, 3], 1, [7]),
            // Of equally long matches, the latest.
            ([1, 2, 3, 1, 2, 4, 1, 2], 1, [4]),
            // After the end it continues with its own tokens.
            ([5, 5, 5], 4, [5, 5, 5, 5]),
            ([0, 1, 2, 1, 2], 5, [1, 2, 1, 2, 1]),
            // A single token is not enough, and at most four are compared.
            ([1, 2, 3, 2], 3, []),
            ([1, 2, 3, 4, 5, 0, 9, 2, 3, 4, 5, 1, 2, 3, 4, 5], 1, [1]),
            ([], 3, []), ([1], 3, []), ([1, 1], 3, []), ([1, 1, 1], 0, []),
        ] as [([Int32], Int, [Int32])])
    func `the tokens after an earlier occurrence of the last tokens are proposed`(
        tokens: [Int32], count: Int, drafts: [Int32]
    ) {
        #expect(NGramDrafter.drafts(after: tokens, count: count) == drafts)
    }

    @Test func `only the last tokens are searched`() {
        let filler = (0..<Int32(NGramDrafter.horizon)).map { $0 + 10 }
        #expect(NGramDrafter.drafts(after: [1, 2, 3] + filler + [1, 2], count: 1).isEmpty)
        #expect(NGramDrafter.drafts(after: [1, 2, 3] + filler.dropLast(10) + [1, 2], count: 1) == [3])
    }
}
