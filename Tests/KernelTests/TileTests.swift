import KernelInterface
import Testing

@testable import Engine

#if arch(x86_64)
    import AVX512Kernels
#endif

/// Products do not depend on how the kernels divide rows and tokens into tiles.
struct TileTests {
    private static let tokens = [1, 2, 3, 5, 8, 9, 13, 32, 130]

    @Test(arguments: WeightFormat.allCases, KernelTable.available)
    func `slices of any number of blocks give the same bits`(format: WeightFormat, kernels: KernelTable) {
        var random = RandomValues(seed: 3)
        let matrix = TestMatrix(
            format, rows: 75, columns: 300, scaleBlock: (48, 100), kernels: kernels, random: &random)
        for tokens in Self.tokens {
            let x = random.floats(tokens * matrix.columns)
            let alone = matrix.multiply(x, slice: 1)
            for slice in 2...5 { #expect(matrix.multiply(x, slice: slice) == alone, "\(tokens) tokens") }
        }
    }

    #if arch(x86_64)
        /// A CPU uses only one of the two.
        @Test(arguments: [1, 2])
        func `float8 tiles of one and of two blocks give the same bits`(tileBlocks: Int) throws {
            guard KernelSet.available.contains(.avx512) else { try Test.cancel("this CPU does not run AVX-512") }
            var random = RandomValues(seed: 4)
            let matrix = TestMatrix(
                .float8, rows: 75, columns: 300, scaleBlock: (40, 100), kernels: KernelSet.avx512.table(.fast),
                random: &random)
            for tokens in Self.tokens {
                let x = random.floats(tokens * matrix.columns)
                let tiles = matrix.multiply(x) {
                    AVX512.Float8Weights.multiplyRounded($0, $1, tileBlocks: tileBlocks)
                }
                #expect(tiles == matrix.multiply(x, slice: 1), "\(tokens) tokens")
            }
        }
    #endif
}
