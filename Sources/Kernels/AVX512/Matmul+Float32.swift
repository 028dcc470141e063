import CIntrinsics

extension AVX512 {
    /// Weights float32, x float32; parameters as in `Portable`, and its order too: in a panel of at most 128 columns
    /// one chain of ascending columns, but with fused multiply-adds.
    public static func matmulFloat32(
        weights: UnsafeRawPointer, scales: UnsafePointer<Float>, scaleColumns: Int, scaleWidth: Int, rows: Int,
        columns: Int, firstBlock: Int, blocks: Int, x: UnsafeRawPointer, xStride: Int, xRows: UnsafePointer<Int32>?,
        tokens: Int, y: UnsafeMutablePointer<Float>, yStride: Int
    ) {
        let product = Float32Product(
            weights: weights.assumingMemoryBound(to: Float.self), scales: scales, rows: rows, columns: columns,
            x: x.assumingMemoryBound(to: Float.self), xStride: xStride, xRows: xRows, y: y, yStride: yStride)
        var block = firstBlock
        while block < firstBlock + blocks {
            product.run(block, tokens)
            block += 1
        }
    }
}

/// A float32 matrix has one scale a row, so its panels end at multiples of 128 only.
private struct Float32Product {
    let weights: UnsafePointer<Float>
    let scales: UnsafePointer<Float>
    let rows: Int
    let columns: Int
    let x: UnsafePointer<Float>
    let xStride: Int
    let xRows: UnsafePointer<Int32>?
    let y: UnsafeMutablePointer<Float>
    let yStride: Int

    /// All tokens of one block.
    @inline(__always)
    func run(_ block: Int, _ tokens: Int) {
        var token = 0
        while token + 8 <= tokens {
            multiply(block, token, InlineArray<8, Int>(repeating: 0))
            token += 8
        }
        if token + 4 <= tokens {
            multiply(block, token, InlineArray<4, Int>(repeating: 0))
            token += 4
        }
        if token + 2 <= tokens {
            multiply(block, token, InlineArray<2, Int>(repeating: 0))
            token += 2
        }
        if token < tokens { multiply(block, token, InlineArray<1, Int>(repeating: 0)) }
    }

    @inline(__always)
    private func multiply<let count: Int>(_ block: Int, _ token: Int, _ tokens: InlineArray<count, Int>) {
        var offsets = tokens
        var t = 0
        while t < count {
            let row = if let xRows { Int(xRows[token + t]) } else { token + t }
            offsets[unchecked: t] = row * xStride
            t += 1
        }
        let lines = weights + block * columns * 16
        let scale = load16(scales, block * 16)
        let valid = rows - block * 16
        let mask = valid >= 16 ? 0xffff : UInt16(truncatingIfNeeded: 1 &<< valid &- 1)
        var start = 0
        while start < columns {
            let end = start + 128 < columns ? start + 128 : columns
            var sums = InlineArray<count, SIMD16<Float>>(repeating: .zero)
            var k = start
            while k < end {
                trinity_prefetch(lines + k * 16 + 1024)
                let line = load16(lines, k * 16)
                t = 0
                while t < count {
                    sums[unchecked: t] = sums[unchecked: t].addingProduct(line, x[offsets[unchecked: t] + k])
                    t += 1
                }
                k += 1
            }
            t = 0
            while t < count {
                let target = y + (token + t) * yStride + block * 16
                let before = trinity_load_masked(target, start > 0 ? mask : 0)
                trinity_store_masked(sums[unchecked: t] * scale + before, target, mask)
                t += 1
            }
            start = end
        }
    }
}
