import CIntrinsics

extension AVX512 {
    /// The number of operations per round: 16 products of 64 bytes, each a multiplication and an addition.
    public static var integerPeakOperations: Int { 2048 }

    /// Runs the peak loop with VNNI.
    public static func integerPeak(iterations: Int) -> Float {
        var bytes = UInt32(truncatingIfNeeded: iterations) & 0x7f7f_7f7f
        let codes = unsafeBitCast(SIMD16<UInt32>(repeating: bytes), to: SIMD8<Int64>.self)
        let zeros = InlineArray<8, SIMD16<Int32>>(repeating: .zero)
        var (sums, others) = (zeros, zeros)
        var iteration = 0
        while iteration < iterations {
            var chain = 0
            while chain < 8 {
                sums[unchecked: chain] = dot(sums[unchecked: chain], codes, &bytes)
                others[unchecked: chain] = dot(others[unchecked: chain], codes, &bytes)
                chain += 1
            }
            iteration += 1
        }
        var total = SIMD16<Int32>.zero
        var chain = 0
        while chain < 8 {
            total = total &+ sums[unchecked: chain] &+ others[unchecked: chain]
            chain += 1
        }
        return sum(floatLanes(total))
    }
}

/// The minimum number of tokens for which two blocks of rows are computed at once. Fewer tokens are limited by the memory, which
/// delivers one ascending sequence faster than two.
@inline(__always)
var tallTokens: Int { 3 }

/// Returns the number of tokens whose sums of `terms` bytes fit in the registers.
@inline(__always)
func largestIntegerTile(terms: Int) -> Int { 4 }

/// The same for two blocks of rows. Five tokens are faster on Zen 5, as measured in docs/benchmarks-log.md, and were not measured on
/// Zen 4.
@inline(__always)
func largestTallTile(terms: Int) -> Int {
    terms == 3 ? 3 : terms == 1 && trinity_has_half_width_avx512() == 0 ? 5 : 4
}

/// Returns sum + the products of four codes of each row and four bytes of x.
@inline(__always)
private func dot(_ sum: SIMD16<Int32>, _ codes: SIMD8<Int64>, _ x: UnsafeRawPointer) -> SIMD16<Int32> {
    unsafeBitCast(
        trinity_dot_bytes(unsafeBitCast(sum, to: SIMD8<Int64>.self), codes, trinity_broadcast_pair(x)),
        to: SIMD16<Int32>.self)
}

extension IntegerCodes {
    /// The minimum number of tokens for which codes are decoded once for all tokens. Codes of 4 bits are decoded, and bytes are
    /// read from between the headers, almost as fast as from a panel.
    static var panelTokens: Int { bits == 4 || bits == 8 ? 33 : 9 }

    /// Adds the products of `columns` codes, a multiple of 16, and the bytes of each token and term, for `height` blocks of rows
    /// and count / height tokens.
    @inline(__always)
    static func add<let terms: Int, let height: Int, let count: Int>(
        _ lines: UnsafeRawPointer, blockBytes: Int, distance: Int, _ blocks: InlineArray<height, Bool>, columns: Int,
        x: UnsafeRawPointer, termBytes: Int, _ offsets: InlineArray<count, Int>, _ bytes: InlineArray<terms, Bool>,
        _ l: inout InlineArray<count, SIMD16<Int32>>, _ h: inout InlineArray<count, SIMD16<Int32>>,
        _ g: inout InlineArray<count, SIMD16<Int32>>
    ) {
        let tokens = count / height
        // The number of columns that share a line of upper bits, or of an iteration.
        let unit = bits == 5 ? 32 : bits == 6 || height == 2 ? 16 : 8
        var column = 0
        while column < columns {
            let unitLines = lines + column * bits * 2
            var eight = 0
            while eight < unit {
                let first = eightColumns(unitLines, eight, distance)
                let second = height == 2 ? eightColumns(unitLines + blockBytes, eight, distance) : first
                let place = x + column + eight
                var t = 0
                while t < tokens {
                    let x = place + offsets[unchecked: t]
                    let u = count - tokens + t
                    multiply(first, second, x, &l, t, u)
                    if terms > 1 { multiply(first, second, x + termBytes, &h, t, u) }
                    if terms > 2 { multiply(first, second, x + 2 * termBytes, &g, t, u) }
                    t += 1
                }
                eight += 8
            }
            column += unit
        }
    }

    /// Adds the products of eight columns and eight bytes of x to the sum of a token, and to that of the second block if there is
    /// one.
    @inline(__always)
    private static func multiply<let count: Int>(
        _ first: (SIMD8<Int64>, SIMD8<Int64>), _ second: (SIMD8<Int64>, SIMD8<Int64>), _ x: UnsafeRawPointer,
        _ sums: inout InlineArray<count, SIMD16<Int32>>, _ t: Int, _ u: Int
    ) {
        sums[unchecked: t] = dot(dot(sums[unchecked: t], first.0, x), first.1, x + 4)
        if u != t { sums[unchecked: u] = dot(dot(sums[unchecked: u], second.0, x), second.1, x + 4) }
    }

    /// Decodes the codes of `columns` columns, a multiple of 32, into lines of ``PanelCodes``.
    @inline(__always)
    static func unpack(
        _ lines: UnsafeRawPointer, distance: Int, columns: Int, into panel: UnsafeMutableRawPointer
    ) {
        let unit = bits == 5 ? 32 : bits == 6 ? 16 : 8
        var column = 0
        while column < columns {
            let unitLines = lines + column * bits * 2
            var eight = 0
            while eight < unit {
                let (first, last) = eightColumns(unitLines, eight, distance)
                let target = panel + (column + eight) * 16
                target.storeBytes(of: first, as: SIMD8<Int64>.self)
                target.storeBytes(of: last, toByteOffset: 64, as: SIMD8<Int64>.self)
                eight += 8
            }
            column += unit
        }
    }

    /// Decodes the integers of columns `column ..< column + 4` and of the next four columns.
    @inline(__always)
    private static func eightColumns(
        _ lines: UnsafeRawPointer, _ column: Int, _ distance: Int
    ) -> (SIMD8<Int64>, SIMD8<Int64>) {
        if bits == 8 {
            let lines = lines + column * 16
            if !isPanel {
                prefetch(lines + distance)
                prefetch(lines + distance + 64)
            }
            return (load(lines), load(lines + 64))
        }
        let mask = SIMD8<Int64>(repeating: 0x0f0f_0f0f_0f0f_0f0f)
        let line = lines + (bits == 4 ? 0 : 64) + column * 8
        if bits > 4 && column == 0 { prefetch(lines + distance) }
        prefetch(line + distance)
        let nibbles = load(line)
        if let table {
            // An index has six bits. The upper two do not matter, because the table is there four times.
            let table = unsafeBitCast(
                SIMD8<UInt64>(
                    table.low, table.high, table.low, table.high, table.low, table.high, table.low, table.high
                ),
                to: SIMD8<Int64>.self)
            return (trinity_permute(table, nibbles), trinity_permute(table, nibbles &>> 4))
        }
        var (first, last) = (nibbles & mask, nibbles &>> 4 & mask)
        if bits > 4 {
            let (upper, place) = (load(lines), column / 4 * (bits - 4))
            first |= upperBits(upper, place)
            last |= upperBits(upper, place + bits - 4)
        }
        return (first, last)
    }

    /// Returns the bits of each byte from bit `place` on, moved to their place above the nibbles.
    @inline(__always)
    private static func upperBits(_ upper: SIMD8<Int64>, _ place: Int) -> SIMD8<Int64> {
        let upper = unsafeBitCast(upper, to: SIMD8<UInt64>.self)
        let left = SIMD8(repeating: UInt64(truncatingIfNeeded: 4 - place))
        let right = SIMD8(repeating: UInt64(truncatingIfNeeded: place - 4))
        let mask = SIMD8<UInt64>(repeating: bits == 5 ? 0x1010_1010_1010_1010 : 0x3030_3030_3030_3030)
        return unsafeBitCast((place < 4 ? upper &<< left : upper &>> right) & mask, to: SIMD8<Int64>.self)
    }

    @inline(__always)
    private static func load(_ pointer: UnsafeRawPointer) -> SIMD8<Int64> {
        pointer.loadUnaligned(as: SIMD8<Int64>.self)
    }
}
