import CIntrinsics

extension AVX512 {
    /// 16 products of 64 bytes, each a multiplication and an addition.
    public static var integerPeakOperations: Int { 2048 }

    public static func integerPeak(iterations: Int) -> Float {
        var bytes = UInt32(truncatingIfNeeded: iterations) & 0x7f7f_7f7f
        let codes = unsafeBitCast(SIMD16<UInt32>(repeating: bytes), to: SIMD8<Int64>.self)
        var sums = InlineArray<16, SIMD16<Int32>>(repeating: .zero)
        var iteration = 0
        while iteration < iterations {
            var chain = 0
            while chain < 16 {
                sums[unchecked: chain] = dot(sums[unchecked: chain], codes, &bytes)
                chain += 1
            }
            iteration += 1
        }
        var total = SIMD16<Int32>.zero
        var chain = 0
        while chain < 16 {
            total = total &+ sums[unchecked: chain]
            chain += 1
        }
        return sum(floatLanes(total))
    }
}

/// The number of tokens whose sums of `terms` bytes fit into the registers.
@inline(__always)
func largestIntegerTile(terms: Int) -> Int { terms == 1 ? 8 : terms == 2 ? 6 : 4 }

/// sum + the products of four codes of each row with four bytes of x.
@inline(__always)
private func dot(_ sum: SIMD16<Int32>, _ codes: SIMD8<Int64>, _ x: UnsafeRawPointer) -> SIMD16<Int32> {
    unsafeBitCast(
        trinity_dot_bytes(unsafeBitCast(sum, to: SIMD8<Int64>.self), codes, trinity_broadcast_pair(x)),
        to: SIMD16<Int32>.self)
}

extension IntegerCodes {
    /// Adds the products of `columns` codes, a multiple of 16, with the bytes of each token and term.
    @inline(__always)
    static func add<let terms: Int, let count: Int>(
        _ lines: UnsafeRawPointer, columns: Int, x: UnsafeRawPointer, termBytes: Int,
        _ offsets: InlineArray<count, Int>, _ bytes: InlineArray<terms, Bool>,
        _ l: inout InlineArray<count, SIMD16<Int32>>, _ h: inout InlineArray<count, SIMD16<Int32>>,
        _ g: inout InlineArray<count, SIMD16<Int32>>
    ) {
        var column = 0
        while column < columns {
            // The columns that have a line of upper bits.
            let unit = bits == 5 ? 32 : bits == 6 ? 16 : 8
            let unitLines = lines + column * bits * 2
            var eight = 0
            while eight < unit {
                let (first, last) = eightColumns(unitLines, eight)
                let place = x + column + eight
                var t = 0
                while t < count {
                    let x = place + offsets[unchecked: t]
                    l[unchecked: t] = dot(dot(l[unchecked: t], first, x), last, x + 4)
                    if terms > 1 {
                        let x = x + termBytes
                        h[unchecked: t] = dot(dot(h[unchecked: t], first, x), last, x + 4)
                    }
                    if terms > 2 {
                        let x = x + 2 * termBytes
                        g[unchecked: t] = dot(dot(g[unchecked: t], first, x), last, x + 4)
                    }
                    t += 1
                }
                eight += 8
            }
            column += unit
        }
    }

    /// The integers of columns `column ..< column + 4` and of the next four.
    @inline(__always)
    private static func eightColumns(_ lines: UnsafeRawPointer, _ column: Int) -> (SIMD8<Int64>, SIMD8<Int64>) {
        if bits == 8 {
            prefetch(lines + ahead)
            prefetch(lines + ahead + 64)
            return (load(lines), load(lines + 64))
        }
        let mask = SIMD8<Int64>(repeating: 0x0f0f_0f0f_0f0f_0f0f)
        let line = lines + (bits == 4 ? 0 : 64) + column * 8
        if bits > 4 && column == 0 { prefetch(lines + ahead) }
        prefetch(line + ahead)
        let nibbles = load(line)
        var (first, last) = (nibbles & mask, nibbles &>> 4 & mask)
        if let table {
            let table = unsafeBitCast(
                SIMD8<UInt64>(
                    table.low, table.high, table.low, table.high, table.low, table.high, table.low, table.high),
                to: SIMD8<Int64>.self)
            (first, last) = (trinity_shuffle(table, first), trinity_shuffle(table, last))
        }
        if bits > 4 {
            let upper = load(lines)
            let width = bits - 4
            let mask = SIMD8<Int64>(repeating: bits == 5 ? 0x1010_1010_1010_1010 : 0x3030_3030_3030_3030)
            // The upper bits of the first four columns are at `shift`, and belong at bit 4.
            let shift = column / 4 * width
            first |= shifted(upper, 4 - shift) & mask
            last |= shifted(upper, 4 - shift - width) & mask
        }
        return (first, last)
    }

    @inline(__always)
    private static func shifted(_ value: SIMD8<Int64>, _ left: Int) -> SIMD8<Int64> {
        left >= 0
            ? value &<< SIMD8(repeating: Int64(truncatingIfNeeded: left))
            : value &>> SIMD8(repeating: Int64(truncatingIfNeeded: -left))
    }

    @inline(__always)
    private static func load(_ pointer: UnsafeRawPointer) -> SIMD8<Int64> {
        pointer.loadUnaligned(as: SIMD8<Int64>.self)
    }
}
