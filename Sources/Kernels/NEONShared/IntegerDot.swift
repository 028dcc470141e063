import CIntrinsics

extension Kernels {
    /// The number of operations per round: 16 products of 16 bytes, each a multiplication and an addition.
    public static var integerPeakOperations: Int { 512 }

    /// Runs the peak loop with 32-bit sums.
    public static func integerPeak(iterations: Int) -> Float {
        let x = SIMD8<Int8>(repeating: Int8(truncatingIfNeeded: iterations))
        let codes = SIMD16<UInt8>(repeating: UInt8(truncatingIfNeeded: iterations) & 0x7f)
        var sums = InlineArray<8, SIMD4<Int32>>(repeating: .zero)
        var iteration = 0
        while iteration < iterations {
            var chain = 0
            while chain < 8 {
                sums[unchecked: chain] = trinity_dot_eight(sums[unchecked: chain], codes, codes, x, 0)
                chain += 1
            }
            iteration += 1
        }
        var total = SIMD4<Int32>.zero
        var chain = 0
        while chain < 8 {
            total = total &+ sums[unchecked: chain]
            chain += 1
        }
        return Float(total[0])
    }
}

/// Two blocks of rows are never computed at once, because their sums do not fit in the registers.
@inline(__always)
var tallTokens: Int { .max }

/// Returns the number of tokens whose sums of `terms` bytes fit in the registers.
@inline(__always)
func largestIntegerTile(terms: Int) -> Int { terms == 1 ? 4 : 2 }

/// The same for two blocks of rows, which this family never computes at once.
@inline(__always)
func largestTallTile(terms: Int) -> Int { 0 }

extension IntegerCodes {
    /// Codes are never decoded into panels, for the same reason.
    static var panelTokens: Int { .max }

    /// Adds the products of `columns` codes, a multiple of 16, and the bytes of each token and term, for one block of rows.
    @inline(__always)
    static func add<let terms: Int, let height: Int, let count: Int>(
        _ lines: UnsafeRawPointer, blockBytes: Int, distance: Int, _ blocks: InlineArray<height, Bool>, columns: Int,
        x: UnsafeRawPointer, termBytes: Int, _ offsets: InlineArray<count, Int>, _ bytes: InlineArray<terms, Bool>,
        _ l: inout InlineArray<count, SIMD16<Int32>>, _ h: inout InlineArray<count, SIMD16<Int32>>,
        _ g: inout InlineArray<count, SIMD16<Int32>>
    ) {
        var column = 0
        while column < columns {
            let codes = (
                eightColumns(lines, column, 0), eightColumns(lines, column, 1), eightColumns(lines, column, 2),
                eightColumns(lines, column, 3)
            )
            var t = 0
            while t < count {
                let x = x + offsets[unchecked: t] + column
                l[unchecked: t] = dot(l[unchecked: t], codes, x)
                if terms > 1 { h[unchecked: t] = dot(h[unchecked: t], codes, x + termBytes) }
                if terms > 2 { g[unchecked: t] = dot(g[unchecked: t], codes, x + 2 * termBytes) }
                t += 1
            }
            column += 8
        }
    }

    /// Four columns of four rows, and the next four columns of these rows: one byte per column, in the lane of its row.
    private typealias Eight = (SIMD16<UInt8>, SIMD16<UInt8>)

    /// Returns sum + the products of eight codes of each row and eight bytes of x.
    @inline(__always)
    private static func dot(
        _ sum: SIMD16<Int32>, _ codes: (Eight, Eight, Eight, Eight), _ x: UnsafeRawPointer
    ) -> SIMD16<Int32> {
        let x = x.loadUnaligned(as: SIMD8<Int8>.self)
        return joined(
            dot(sum.lowHalf.lowHalf, codes.0, x), dot(sum.lowHalf.highHalf, codes.1, x),
            dot(sum.highHalf.lowHalf, codes.2, x), dot(sum.highHalf.highHalf, codes.3, x))
    }

    @inline(__always)
    private static func dot(_ sum: SIMD4<Int32>, _ codes: Eight, _ x: SIMD8<Int8>) -> SIMD4<Int32> {
        trinity_dot_eight(sum, codes.0, codes.1, x, largest > 127 ? 1 : 0)
    }

    /// Decodes the codes of `columns` columns, a multiple of 32, into lines of ``PanelCodes``.
    @inline(__always)
    static func unpack(
        _ lines: UnsafeRawPointer, distance: Int, columns: Int, into panel: UnsafeMutableRawPointer
    ) {
        var column = 0
        while column < columns {
            var quarter = 0
            while quarter < 4 {
                let (first, last) = eightColumns(lines, column, quarter)
                let target = panel + column * 16 + quarter * 16
                target.storeBytes(of: first, as: SIMD16<UInt8>.self)
                target.storeBytes(of: last, toByteOffset: 64, as: SIMD16<UInt8>.self)
                quarter += 1
            }
            column += 8
        }
    }

    /// Decodes the integers of columns `column ..< column + 8`, in the four rows of a quarter of the block.
    @inline(__always)
    private static func eightColumns(_ lines: UnsafeRawPointer, _ column: Int, _ quarter: Int) -> Eight {
        // The number of columns that share a line of upper bits.
        let unit = bits == 5 ? 32 : bits == 6 ? 16 : 8
        let lines = lines + column / unit * (unit * bits * 2) + quarter * 16
        if bits == 8 {
            if quarter == 0 && !isPanel {
                prefetch(lines + ahead)
                prefetch(lines + ahead + 64)
            }
            return (load(lines), load(lines + 64))
        }
        let line = lines + (bits == 4 ? 0 : 64) + column % unit * 8
        if quarter == 0 {
            if bits > 4 && column % unit == 0 { prefetch(lines + ahead) }
            prefetch(line + ahead)
        }
        let nibbles = load(line)
        var (first, last) = (nibbles & 0x0f, nibbles &>> 4)
        if let table {
            let table = unsafeBitCast(SIMD2<UInt64>(table.low, table.high), to: SIMD16<UInt8>.self)
            (first, last) = (trinity_table_bytes(table, first), trinity_table_bytes(table, last))
        }
        if bits > 4 {
            let upper = load(lines)
            let width = UInt8(truncatingIfNeeded: bits - 4)
            let shift = UInt8(truncatingIfNeeded: column % unit / 4) * width
            let mask: UInt8 = bits == 5 ? 1 : 3
            first |= (upper &>> SIMD16(repeating: shift) & mask) &<< 4
            last |= (upper &>> SIMD16(repeating: shift + width) & mask) &<< 4
        }
        return (first, last)
    }

    @inline(__always)
    private static func load(_ pointer: UnsafeRawPointer) -> SIMD16<UInt8> {
        pointer.loadUnaligned(as: SIMD16<UInt8>.self)
    }
}
