import KernelInterface

// Products of bfloat16 matrices, and of float32 matrices with a number in place of each pair. A sum is one float32 chain for each
// chunk of 128 pairs. Of a pair, the product of the second numbers is added first, then that of the first numbers. Chunks are added
// in order. This is the same for any number of rows and columns.

extension Kernels {
    /// Implements ``TrainingKernels/multiply(_:)``.
    public static func multiply(_ product: PairProduct) { PairChunk<2>.run(product) }

    /// Implements ``TrainingKernels/multiplyFloats(_:)``.
    public static func multiplyFloats(_ product: PairProduct) { PairChunk<1>.run(product) }
}

/// A chunk of the pairs, or of the single numbers, of the sums of a product.
private struct PairChunk<let numbers: Int> {
    let product: PairProduct
    let first: Int
    let count: Int
    let adds: Bool

    static func run(_ product: PairProduct) {
        guard product.rows > 0, product.columns > 0 else { return }
        var first = 0
        repeat {
            let left = product.pairs - first
            let count = left < PairProduct.chunkPairs ? left : PairProduct.chunkPairs
            PairChunk(product: product, first: first, count: count, adds: product.adds || first > 0).run()
            first += PairProduct.chunkPairs
        } while first < product.pairs
    }

    @inline(__always)
    private func run() {
        let blocks = (product.columns + 15) / 16
        var block = 0
        while pairTileBlocks >= 4 && block + 4 <= blocks {
            multiplyRows(block, InlineArray<4, Int>(repeating: 0))
            block += 4
        }
        while pairTileBlocks >= 2 && block + 2 <= blocks {
            multiplyRows(block, InlineArray<2, Int>(repeating: 0))
            block += 2
        }
        while block < blocks {
            multiplyRows(block, InlineArray<1, Int>(repeating: 0))
            block += 1
        }
    }

    /// Computes all rows of some blocks of columns, in tiles of nearly equal size.
    @inline(__always)
    private func multiplyRows<let height: Int>(_ block: Int, _ blocks: InlineArray<height, Int>) {
        var row = 0
        while row < product.rows {
            let left = product.rows - row
            let tiles = (left + pairTileRows - 1) / pairTileRows
            let size = (left + tiles - 1) / tiles
            switch size {
            case 6 where pairTileRows >= 6: multiply(block, row, blocks, InlineArray<6, Int>(repeating: 0))
            case 5 where pairTileRows >= 5: multiply(block, row, blocks, InlineArray<5, Int>(repeating: 0))
            case 4 where pairTileRows >= 4: multiply(block, row, blocks, InlineArray<4, Int>(repeating: 0))
            case 3 where pairTileRows >= 3: multiply(block, row, blocks, InlineArray<3, Int>(repeating: 0))
            case 2: multiply(block, row, blocks, InlineArray<2, Int>(repeating: 0))
            default: multiply(block, row, blocks, InlineArray<1, Int>(repeating: 0))
            }
            row += size
        }
    }

    /// Computes one tile, whose sums are in registers.
    @inline(__always)
    private func multiply<let height: Int, let width: Int>(
        _ block: Int, _ row: Int, _ blocks: InlineArray<height, Int>, _ rows: InlineArray<width, Int>
    ) {
        var offsets = rows
        var t = 0
        while t < width {
            let place = if let index = product.leftRows { Int(index[row + t]) } else { row + t }
            offsets[unchecked: t] = place / 16 * product.left.block + place % 16 * product.left.row
            t += 1
        }
        var sums = InlineArray<height, InlineArray<width, SIMD16<Float>>>(repeating: InlineArray(repeating: .zero))
        var left = product.left.base + first * product.left.step
        var right = product.right.base + block * product.right.block + first * product.right.step
        var pair = 0
        while pair < count {
            var lines = InlineArray<height, SIMD16<UInt32>>(repeating: .zero)
            var b = 0
            while b < height {
                lines[unchecked: b] = (right + b * product.right.block).loadUnaligned(as: SIMD16<UInt32>.self)
                b += 1
            }
            t = 0
            while t < width {
                let factor = broadcastPair(left + offsets[unchecked: t])
                b = 0
                while b < height {
                    sums[unchecked: b][unchecked: t] = add(
                        sums[unchecked: b][unchecked: t], lines[unchecked: b], factor)
                    b += 1
                }
                t += 1
            }
            left += product.left.step
            right += product.right.step
            pair += 1
        }
        t = 0
        while t < width {
            let target = product.out + (row + t) * product.outStride + block * 16
            var b = 0
            while b < height {
                let valid = product.columns - (block + b) * 16
                var total = sums[unchecked: b][unchecked: t]
                if adds { total = load(target, b * 16, count: valid) + total }
                store(total, target, b * 16, count: valid)
                b += 1
            }
            t += 1
        }
    }

    @inline(__always)
    private func add(_ sum: SIMD16<Float>, _ line: SIMD16<UInt32>, _ factor: SIMD16<UInt32>) -> SIMD16<Float> {
        if numbers == 2 { return addPairs(sum, line, factor) }
        return multiplyAdd(
            unsafeBitCast(line, to: SIMD16<Float>.self), unsafeBitCast(factor, to: SIMD16<Float>.self), sum)
    }
}
