import KernelInterface

extension Kernels {
    /// Rounds floats to bfloat16.
    public static func round(
        _ source: UnsafePointer<Float>, count: Int, into target: UnsafeMutablePointer<UInt16>
    ) {
        var i = 0
        while i < count {
            storeRounded(load(source, i, count: count - i), target, i, count: count - i)
            i += 16
        }
    }

    /// Converts bfloat16 numbers to float32.
    public static func widen(
        _ source: UnsafePointer<UInt16>, count: Int, into target: UnsafeMutablePointer<Float>
    ) {
        var i = 0
        while i < count {
            store(loadRounded(source, i, count: count - i), target, i, count: count - i)
            i += 16
        }
    }

    /// Packs panels with a lane for each column.
    public static func packRows(_ source: PairSource, into panels: UnsafeMutableRawPointer, block: Int) {
        let (rows, columns) = (source.rows, source.columns)
        var pair = 0
        while 2 * pair < rows {
            let first = source.row(2 * pair)
            let isWhole = 2 * pair + 1 < rows
            let second = isWhole ? source.row(2 * pair + 1) : first
            var line = panels + pair * 64
            var column = 0
            while column < columns {
                let low = loadRounded(first, column, count: columns - column)
                let high = isWhole ? loadRounded(second, column, count: columns - column) : .zero
                storeLine(joinPairs(low, high), line)
                line += block
                column += 16
            }
            pair += 1
        }
    }

    /// Packs panels with a lane for each row.
    public static func packColumns(_ source: PairSource, into panels: UnsafeMutableRawPointer, block: Int) {
        let (rows, columns) = (source.rows, source.columns)
        var row = 0
        while row < (rows + 15) / 16 * 16 {
            var place = panels + row / 16 * block + row % 16 * 4
            guard row < rows else {
                var column = 0
                while column < columns {
                    place.storeBytes(of: 0, as: UInt32.self)
                    place += 64
                    column += 2
                }
                row += 1
                continue
            }
            let numbers = source.row(row)
            var column = 0
            while column + 1 < columns {
                let pair = UnsafeRawPointer(numbers + column).loadUnaligned(as: UInt32.self)
                place.storeBytes(of: pair, as: UInt32.self)
                place += 64
                column += 2
            }
            if column < columns { place.storeBytes(of: UInt32(numbers[column]), as: UInt32.self) }
            row += 1
        }
    }
}

extension PairSource {
    @inline(__always)
    fileprivate func row(_ index: Int) -> UnsafePointer<UInt16> {
        let place = if let indices { Int(indices[index]) } else { index }
        return base + place * stride
    }
}

/// Joins sixteen numbers each of `low` and `high`, which are exact in bfloat16, as the halves of 32-bit lanes.
@inline(__always)
private func joinPairs(_ low: SIMD16<Float>, _ high: SIMD16<Float>) -> SIMD16<UInt32> {
    (unsafeBitCast(low, to: SIMD16<UInt32>.self) &>> 16) | unsafeBitCast(high, to: SIMD16<UInt32>.self)
}

/// Stores a line of panels.
@inline(__always)
func storeLine(_ line: SIMD16<UInt32>, _ target: UnsafeMutableRawPointer) {
    target.storeBytes(of: line, as: SIMD16<UInt32>.self)
}

/// Loads the first `count` of sixteen bfloat16 numbers. The others are zero.
@inline(__always)
func loadRounded(_ pointer: UnsafePointer<UInt16>, _ index: Int, count: Int) -> SIMD16<Float> {
    if count >= 16 { return bfloat16Lanes(pointer + index) }
    var value = SIMD16<Float>.zero
    var lane = 0
    while lane < count {
        value[lane] = Float(bitPattern: UInt32(pointer[index + lane]) &<< 16)
        lane += 1
    }
    return value
}

/// Stores the first `count` lanes, rounded to bfloat16.
@inline(__always)
func storeRounded(_ value: SIMD16<Float>, _ pointer: UnsafeMutablePointer<UInt16>, _ index: Int, count: Int) {
    if count >= 16 { return storeRounded(value, pointer + index) }
    let bits = roundedPairs(value, value)
    var lane = 0
    while lane < count {
        pointer[index + lane] = UInt16(truncatingIfNeeded: bits[lane])
        lane += 1
    }
}
