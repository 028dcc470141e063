import KernelInterface

extension Kernels {
    /// Returns the sum of x over a group of columns, in all lanes.
    ///
    /// - Parameters:
    ///   - sums: The sum of the low terms.
    ///   - upperBytes: The distance to the sum of the third term, if there are three.
    @inline(__always)
    static func groupSum(_ sums: UnsafeRawPointer, terms: Int, upperBytes: Int) -> SIMD16<Float> {
        let low = floatLanes(SIMD16(repeating: sums.load(as: Int32.self)))
        guard terms > 2 else { return low }
        let upper = SIMD16<Int32>(repeating: sums.load(fromByteOffset: upperBytes, as: Int32.self))
        return multiplyAdd(floatLanes(upper), SIMD16<Float>(repeating: 65536), low)
    }

    /// Requests the next lines of the rows of x of some tokens, one line for each term. A tile requests lines of the next tile one by
    /// one while it computes (with groups of 128 columns, every other one): if all were requested at its start, the rate would be
    /// lower.
    @inline(__always)
    static func prefetchLines<let count: Int>(
        _ x: UnsafeRawPointer, _ offsets: InlineArray<count, Int>, tokens: Int, terms: Int, termBytes: Int
    ) {
        var t = 0
        while t < tokens {
            let line = x + offsets[unchecked: t]
            prefetch(line)
            if terms > 1 { prefetch(line + termBytes) }
            if terms > 2 { prefetch(line + 2 * termBytes) }
            t += 1
        }
    }

    /// Returns the results of a block of rows from their totals.
    @inline(__always)
    static func scaled(_ totals: SIMD16<Float>, _ weights: PackedQuantizedWeights, _ block: Int) -> SIMD16<Float> {
        switch weights.format.rowFactor {
        case .none: totals
        case .multiplied: totals * load16(weights.rowFactors, block * 16)
        case .divided: totals / load16(weights.rowFactors, block * 16)
        }
    }
}

extension TileMemory {
    /// Stores the corrections by the offset and, for formats with minima, the sums of x for a segment, for all tokens of a tile.
    ///
    /// - Parameters:
    ///   - sums: The 16 sums of a segment in the first row of x; those of token t are `offsets[t]` bytes behind it.
    ///   - upperBytes: The distance to the sums of the third term, if there are three.
    @inline(__always)
    func setSums<let count: Int>(
        _ sums: UnsafeRawPointer, _ offsets: InlineArray<count, Int>, tokens: Int, terms: Int, upperBytes: Int,
        offset: Int32, hasMinima: Bool
    ) {
        let factor = SIMD16<Int32>(repeating: 0 &- offset)
        var t = 0
        while t < tokens {
            let sums = sums + offsets[unchecked: t]
            let low = sums.loadUnaligned(as: SIMD16<Int32>.self)
            let upper = terms > 2 ? (sums + upperBytes).loadUnaligned(as: SIMD16<Int32>.self) : .zero
            let target = self.sums(t)
            if offset != 0 {
                target.setCorrections(low &* factor)
                if terms > 2 { target.setUpperCorrections(upper &* factor) }
            }
            if hasMinima {
                let float = floatLanes(low)
                target.setSums(
                    terms > 2 ? multiplyAdd(floatLanes(upper), SIMD16<Float>(repeating: 65536), float) : float)
            }
            t += 1
        }
    }
}
