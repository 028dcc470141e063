import CIntrinsics

extension AVX2 {
    /// The number of operations per round: 8 products of 32 bytes, each a multiplication and an addition.
    public static var integerPeakOperations: Int { 512 }

    /// Runs the peak loop with 16-bit sums. The products do not depend on the sums, so they would be computed once if the compiler
    /// knew that their factors do not change.
    public static func integerPeak(iterations: Int) -> Float {
        let codes = SIMD4<Int64>(repeating: Int64(truncatingIfNeeded: iterations) & 0x0707_0707_0707_0707)
        var bytes = codes
        var sums = InlineArray<8, SIMD16<Int16>>(repeating: .zero)
        var iteration = 0
        while iteration < iterations {
            var chain = 0
            while chain < 8 {
                bytes = trinity_opaque(bytes)
                sums[unchecked: chain] = sums[unchecked: chain] &+ multiplyBytes(codes, bytes)
                chain += 1
            }
            iteration += 1
        }
        var total = SIMD16<Int16>.zero
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
func largestIntegerTile(terms: Int) -> Int { 2 }

/// The same for two blocks of rows, which this family never computes at once.
@inline(__always)
func largestTallTile(terms: Int) -> Int { 0 }

/// Multiplies unsigned codes and signed bytes of x, and adds adjacent products with saturation.
@inline(__always)
private func multiplyBytes(_ codes: SIMD4<Int64>, _ x: SIMD4<Int64>) -> SIMD16<Int16> {
    unsafeBitCast(trinity_multiply_bytes(codes, x), to: SIMD16<Int16>.self)
}

/// Multiplies 16-bit numbers and adds adjacent products.
@inline(__always)
private func multiplyPairs(_ a: SIMD16<Int16>, _ b: SIMD16<Int16>) -> SIMD8<Int32> {
    unsafeBitCast(
        trinity_multiply_pairs(unsafeBitCast(a, to: SIMD4<Int64>.self), unsafeBitCast(b, to: SIMD4<Int64>.self)),
        to: SIMD8<Int32>.self)
}

extension IntegerCodes {
    /// Codes are never decoded into panels. They are decoded for each tile, because the number of products that fit in 16-bit sums
    /// depends on their bits.
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
            add(lines, column, 0, x, termBytes, offsets, bytes, &l, &h, &g)
            add(lines, column, 1, x, termBytes, offsets, bytes, &l, &h, &g)
            column += batch
        }
    }

    /// The number of columns whose products are added in 16 bits. A number is the sum of half of them, and each product is at most
    /// 128 * ``largest``. Larger codes than 63 are split into two nibbles.
    private static var batch: Int {
        @inline(__always) get { largest <= 31 ? 16 : 8 }
    }

    /// Adds half the rows of a batch of columns. The codes are decoded once for all tokens.
    @inline(__always)
    private static func add<let terms: Int, let count: Int>(
        _ lines: UnsafeRawPointer, _ column: Int, _ half: Int, _ x: UnsafeRawPointer, _ termBytes: Int,
        _ offsets: InlineArray<count, Int>, _ bytes: InlineArray<terms, Bool>,
        _ l: inout InlineArray<count, SIMD16<Int32>>, _ h: inout InlineArray<count, SIMD16<Int32>>,
        _ g: inout InlineArray<count, SIMD16<Int32>>
    ) {
        let codes = eightColumns(lines, column, half)
        let next = batch > 8 ? eightColumns(lines, column + 8, half) : codes
        let mask = SIMD4<Int64>(repeating: 0x0f0f_0f0f_0f0f_0f0f)
        let (low, high) = ((codes.0 & mask, codes.1 & mask), (codes.0 &>> 4 & mask, codes.1 &>> 4 & mask))
        let (ones, sixteens) = (SIMD16<Int16>(repeating: 1), SIMD16<Int16>(repeating: 16))
        @inline(__always)
        func products(_ x: UnsafeRawPointer) -> SIMD8<Int32> {
            if largest > 63 { return multiplyPairs(dot(low, x), ones) &+ multiplyPairs(dot(high, x), sixteens) }
            return multiplyPairs(batch > 8 ? dot(codes, x) &+ dot(next, x + 8) : dot(codes, x), ones)
        }
        var t = 0
        while t < count {
            let x = x + offsets[unchecked: t] + column
            addHalf(products(x), half, &l[unchecked: t])
            if terms > 1 { addHalf(products(x + termBytes), half, &h[unchecked: t]) }
            if terms > 2 { addHalf(products(x + 2 * termBytes), half, &g[unchecked: t]) }
            t += 1
        }
    }

    /// Returns the products of eight codes of each row and eight bytes of x, as two numbers per row.
    @inline(__always)
    private static func dot(_ codes: (SIMD4<Int64>, SIMD4<Int64>), _ x: UnsafeRawPointer) -> SIMD16<Int16> {
        multiplyBytes(codes.0, trinity_broadcast_four(x)) &+ multiplyBytes(codes.1, trinity_broadcast_four(x + 4))
    }

    @inline(__always)
    private static func addHalf(_ value: SIMD8<Int32>, _ half: Int, _ sum: inout SIMD16<Int32>) {
        if half == 0 { sum.lowHalf = sum.lowHalf &+ value } else { sum.highHalf = sum.highHalf &+ value }
    }

    /// Decodes the codes of `columns` columns, a multiple of 32, into lines of ``PanelCodes``.
    @inline(__always)
    static func unpack(
        _ lines: UnsafeRawPointer, distance: Int, columns: Int, into panel: UnsafeMutableRawPointer
    ) {
        var column = 0
        while column < columns {
            var half = 0
            while half < 2 {
                let (first, last) = eightColumns(lines, column, half)
                let target = panel + column * 16 + half * 32
                target.storeBytes(of: first, as: SIMD4<Int64>.self)
                target.storeBytes(of: last, toByteOffset: 64, as: SIMD4<Int64>.self)
                half += 1
            }
            column += 8
        }
    }

    /// Decodes the integers of columns `column ..< column + 4` and of the next four columns, for the first or last eight rows.
    @inline(__always)
    private static func eightColumns(
        _ lines: UnsafeRawPointer, _ column: Int, _ half: Int
    ) -> (SIMD4<Int64>, SIMD4<Int64>) {
        let unit = bits == 5 ? 32 : bits == 6 ? 16 : 8
        let lines = lines + column / unit * (unit * bits * 2) + half * 32
        if bits == 8 {
            if half == 0 && !isPanel {
                prefetch(lines + ahead)
                prefetch(lines + ahead + 64)
            }
            return (load(lines), load(lines + 64))
        }
        let mask = SIMD4<Int64>(repeating: 0x0f0f_0f0f_0f0f_0f0f)
        let line = lines + (bits == 4 ? 0 : 64) + column % unit * 8
        if half == 0 {
            if bits > 4 && column % unit == 0 { prefetch(lines + ahead) }
            prefetch(line + ahead)
        }
        let nibbles = load(line)
        var (first, last) = (nibbles & mask, nibbles &>> 4 & mask)
        if let table {
            let table = unsafeBitCast(
                SIMD4<UInt64>(table.low, table.high, table.low, table.high), to: SIMD4<Int64>.self)
            (first, last) = (trinity_shuffle_halves(table, first), trinity_shuffle_halves(table, last))
        }
        if bits > 4 {
            let upper = unsafeBitCast(load(lines), to: SIMD4<UInt64>.self)
            let mask = SIMD4<UInt64>(repeating: bits == 5 ? 0x0101_0101_0101_0101 : 0x0303_0303_0303_0303)
            let width = UInt64(truncatingIfNeeded: bits - 4)
            let shift = UInt64(truncatingIfNeeded: column % unit / 4) * width
            first |= unsafeBitCast((upper &>> SIMD4(repeating: shift) & mask) &<< 4, to: SIMD4<Int64>.self)
            last |= unsafeBitCast((upper &>> SIMD4(repeating: shift + width) & mask) &<< 4, to: SIMD4<Int64>.self)
        }
        return (first, last)
    }

    @inline(__always)
    private static func load(_ pointer: UnsafeRawPointer) -> SIMD4<Int64> {
        pointer.loadUnaligned(as: SIMD4<Int64>.self)
    }
}
