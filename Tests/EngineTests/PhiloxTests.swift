import Testing

@testable import Engine

struct PhiloxTests {
    /// The known answers published by the authors of the algorithm.
    @Test(
        arguments: [
            ([0, 0, 0, 0], [0, 0], [0x6627_E8D5, 0xE169_C58D, 0xBC57_AC4C, 0x9B00_DBD8]),
            (
                [.max, .max, .max, .max], [.max, .max], [0x408F_276D, 0x41C8_3B0E, 0xA20B_C7C6, 0x6D54_51FD]
            ),
            (
                [0x243F_6A88, 0x85A3_08D3, 0x1319_8A2E, 0x0370_7344], [0xA409_3822, 0x299F_31D0],
                [0xD16C_FE09, 0x94FD_CCEB, 0x5001_E420, 0x2412_6EA1]
            ),
        ] as [([UInt32], [UInt32], [UInt32])])
    func `the published answers are reproduced`(counter: [UInt32], key: [UInt32], answer: [UInt32]) {
        let block = Philox.block(counter: SIMD4(counter), key: SIMD2(key))
        #expect([block[0], block[1], block[2], block[3]] == answer)
    }

    @Test func `uniform numbers stay in the half-open interval and have its mean`() {
        let numbers = (0..<10_000).map { Philox.uniform(seed: 42, choice: 0, position: $0) }
        #expect(numbers.allSatisfy { $0 >= 0 && $0 < 1 })
        #expect(abs(numbers.reduce(0, +) / 10_000 - 0.5) < 0.01)
        #expect(Set(numbers).count == 10_000)
    }

    @Test func `all bits of the arguments matter`() {
        let base = Philox.uniform(seed: 0, choice: 0, position: 0)
        #expect(Philox.uniform(seed: 1 << 63, choice: 0, position: 0) != base)
        #expect(Philox.uniform(seed: 0, choice: 1, position: 0) != base)
        #expect(Philox.uniform(seed: 0, choice: 0, position: 1 << 40) != base)
    }
}
