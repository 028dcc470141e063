extension Portable {
    /// The number of operations per round: two products of 64 bytes, each a multiplication and an addition.
    public static var integerPeakOperations: Int { 256 }

    /// Runs the peak loop with 32-bit sums. The factors change and differ, otherwise the products would be computed only once.
    public static func integerPeak(iterations: Int) -> Float {
        let codes = SIMD16<UInt32>(repeating: UInt32(truncatingIfNeeded: iterations) & 0x7f7f_7f7f)
        let others = codes ^ 0x0101_0101
        var bytes = UInt32(truncatingIfNeeded: iterations)
        var (first, last) = (SIMD16<Int32>.zero, SIMD16<Int32>.zero)
        var iteration = 0
        while iteration < iterations {
            bytes &+= 0x0101_0101
            first = dot(first, codes, &bytes)
            last = dot(last, others, &bytes)
            iteration += 1
        }
        return Float((first &+ last)[0])
    }
}

/// The minimum number of tokens for which two blocks of rows are computed at once.
@inline(__always)
var tallTokens: Int { 3 }

/// Returns the number of tokens whose sums of `terms` bytes fit in the registers.
@inline(__always)
func largestIntegerTile(terms: Int) -> Int { 2 }

/// The same for two blocks of rows.
@inline(__always)
func largestTallTile(terms: Int) -> Int { terms == 3 ? 3 : 4 }

/// Returns sum + the products of four codes of each row and four bytes of x.
@inline(__always)
private func dot(_ sum: SIMD16<Int32>, _ codes: SIMD16<UInt32>, _ x: UnsafeRawPointer) -> SIMD16<Int32> {
    var sum = sum
    var byte = 0
    while byte < 4 {
        let shift = SIMD16<UInt32>(repeating: UInt32(truncatingIfNeeded: byte * 8))
        let code = unsafeBitCast(codes &>> shift & 0xff, to: SIMD16<Int32>.self)
        let factor = Int32(truncatingIfNeeded: x.load(fromByteOffset: byte, as: Int8.self))
        sum = sum &+ code &* SIMD16(repeating: factor)
        byte += 1
    }
    return sum
}

extension IntegerCodes {
    /// The minimum number of tokens for which codes are decoded once for all tokens.
    static var panelTokens: Int { 9 }

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
        var column = 0
        while column < columns {
            var t = 0
            while t < count {
                let (first, last) = eightColumns(lines + t / tokens * blockBytes, column)
                let x = x + offsets[unchecked: t % tokens] + column
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
            column += 8
        }
    }

    /// Decodes the codes of `columns` columns, a multiple of 32, into lines of ``PanelCodes``.
    @inline(__always)
    static func unpack(
        _ lines: UnsafeRawPointer, distance: Int, columns: Int, into panel: UnsafeMutableRawPointer
    ) {
        var column = 0
        while column < columns {
            let (first, last) = eightColumns(lines, column)
            let target = panel + column * 16
            target.storeBytes(of: first, as: SIMD16<UInt32>.self)
            target.storeBytes(of: last, toByteOffset: 64, as: SIMD16<UInt32>.self)
            column += 8
        }
    }

    /// Decodes the integers of columns `column ..< column + 4` and of the next four columns: one byte per column, in the lane of
    /// its row.
    @inline(__always)
    private static func eightColumns(
        _ lines: UnsafeRawPointer, _ column: Int
    ) -> (SIMD16<UInt32>, SIMD16<UInt32>) {
        // The number of columns that share a line of upper bits.
        let unit = bits == 5 ? 32 : bits == 6 ? 16 : 8
        let lines = lines + column / unit * (unit * bits * 2)
        if bits == 8 { return (load(lines), load(lines + 64)) }
        let nibbles = load(lines + (bits == 4 ? 0 : 64) + column % unit * 8)
        var (first, last) = (nibbles & 0x0f0f_0f0f, nibbles &>> 4 & 0x0f0f_0f0f)
        if let table { (first, last) = (lookUp(first, table), lookUp(last, table)) }
        if bits > 4 {
            let upper = load(lines)
            let mask: UInt32 = bits == 5 ? 0x0101_0101 : 0x0303_0303
            let width = UInt32(truncatingIfNeeded: bits - 4)
            let shift = UInt32(truncatingIfNeeded: column % unit / 4) * width
            first |= (upper &>> SIMD16(repeating: shift) & mask) &<< 4
            last |= (upper &>> SIMD16(repeating: shift + width) & mask) &<< 4
        }
        return (first, last)
    }

    @inline(__always)
    private static func load(_ pointer: UnsafeRawPointer) -> SIMD16<UInt32> {
        pointer.loadUnaligned(as: SIMD16<UInt32>.self)
    }

    @inline(__always)
    private static func lookUp(_ codes: SIMD16<UInt32>, _ table: (low: UInt64, high: UInt64)) -> SIMD16<UInt32> {
        var integers = SIMD16<UInt32>.zero
        var lane = 0
        while lane < 16 {
            let word = codes[lane]
            var byte: UInt32 = 0
            while byte < 32 {
                let code = UInt64(truncatingIfNeeded: word &>> byte & 15)
                let half = code < 8 ? table.low : table.high
                integers[lane] |= UInt32(truncatingIfNeeded: half &>> (code & 7 &* 8) & 0xff) &<< byte
                byte += 8
            }
            lane += 1
        }
        return integers
    }
}
