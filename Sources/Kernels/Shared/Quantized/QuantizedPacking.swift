import KernelInterface

// The packed layout of quantized weights. A line of nibbles has 8 columns. Row r has the bytes 4r ..< 4r + 4, each with one of the
// first four columns in its low half and one of the last four in its high half. The upper bits of 5-bit and 6-bit codes are in a
// line before the nibbles of 32 and of 16 columns: byte b of a row has bits i, or 2i and 2i + 1, of column 4i + b. A line of 8-bit
// codes has 4 columns.

extension Kernels {
    /// Implements the requirement of `KernelFamily`, 32 columns of a row at a time.
    public static func pack(_ rows: QuantizedRows, count: Int, block: UnsafeMutableRawPointer) {
        let format = rows.format
        let (packedColumns, sectionColumns) = (format.packedColumns(rows.columns), format.sectionColumns)
        let (headerBytes, hasSuperBlocks, bits) = (format.headerBytes, format.hasSuperBlocks, format.codes.bits)
        var cursor = block
        var column = 0
        while column < packedColumns {
            if hasSuperBlocks && column % 256 == 0 {
                clear(cursor, 64)
                packColumn(rows.superScales + column / 256, rows.superStride, 2, count, cursor)
                packColumn(rows.superMinima + column / 256, rows.superStride, 2, count, cursor + 32)
                cursor += 64
            }
            packHeader(rows, column: column, count: count, header: cursor)
            cursor += headerBytes
            let end = column + sectionColumns
            while column < end {
                packCodes(rows.codes + column, rows.codeStride, bits, cursor)
                cursor += bits * 64
                column += 32
            }
        }
    }

    private static func packHeader(
        _ rows: QuantizedRows, column: Int, count: Int, header: UnsafeMutableRawPointer
    ) {
        let format = rows.format
        let (scaleBytes, minimumBytes, headerBytes) = (format.scales.bytes, format.minima.bytes, format.headerBytes)
        // One-byte minima with a superminimum are in the line of the scales.
        let minima = header + (format.minima == .uint8 ? 32 : headerBytes - 64)
        clear(header, headerBytes)
        let first = column / format.groupColumns
        let groups = format.sectionColumns / format.groupColumns
        var group = 0
        while group < groups {
            packColumn(
                rows.scales + (first + group) * scaleBytes, rows.groupStride, scaleBytes, count,
                header + group * 16 * scaleBytes)
            packColumn(
                rows.minima + (first + group) * minimumBytes, rows.groupStride, minimumBytes, count,
                minima + group * 16 * minimumBytes)
            group += 1
        }
    }

    /// Packs the element of a group for `count` rows, which are `stride` elements apart.
    @inline(__always)
    private static func packColumn(
        _ source: UnsafeRawPointer, _ stride: Int, _ bytes: Int, _ count: Int, _ target: UnsafeMutableRawPointer
    ) {
        var row = 0
        while row < count {
            switch bytes {
            case 1:
                target.storeBytes(
                    of: source.load(fromByteOffset: row * stride, as: UInt8.self), toByteOffset: row, as: UInt8.self)
            case 2:
                target.storeBytes(
                    of: source.load(fromByteOffset: row * stride * 2, as: UInt16.self), toByteOffset: row * 2,
                    as: UInt16.self)
            case 4:
                target.storeBytes(
                    of: source.load(fromByteOffset: row * stride * 4, as: UInt32.self), toByteOffset: row * 4,
                    as: UInt32.self)
            default: break
            }
            row += 1
        }
    }

    @inline(__always)
    private static func clear(_ target: UnsafeMutableRawPointer, _ bytes: Int) {
        var offset = 0
        while offset < bytes {
            target.storeBytes(of: SIMD8<Int64>.zero, toByteOffset: offset, as: SIMD8<Int64>.self)
            offset += 64
        }
    }

    /// Packs the codes of 32 columns of 16 rows.
    @inline(__always)
    private static func packCodes(
        _ codes: UnsafePointer<UInt8>, _ stride: Int, _ bits: Int, _ target: UnsafeMutableRawPointer
    ) {
        var row = 0
        while row < 16 {
            // Each lane has four columns.
            let words = UnsafeRawPointer(codes + row * stride).loadUnaligned(as: SIMD8<UInt32>.self)
            let place = target + row * 4
            switch bits {
            case 4: packNibbles(words, place, place + 64, place + 128, place + 192)
            case 5:
                var upper: UInt32 = 0
                var lane = 0
                while lane < 8 {
                    upper |= (words[lane] &>> 4 & 0x0101_0101) &<< UInt32(truncatingIfNeeded: lane)
                    lane += 1
                }
                place.storeBytes(of: upper, as: UInt32.self)
                packNibbles(words, place + 64, place + 128, place + 192, place + 256)
            case 6:
                var upper: (UInt32, UInt32) = (0, 0)
                var lane = 0
                while lane < 4 {
                    let shift = UInt32(truncatingIfNeeded: lane * 2)
                    upper.0 |= (words[lane] &>> 4 & 0x0303_0303) &<< shift
                    upper.1 |= (words[lane + 4] &>> 4 & 0x0303_0303) &<< shift
                    lane += 1
                }
                place.storeBytes(of: upper.0, as: UInt32.self)
                (place + 192).storeBytes(of: upper.1, as: UInt32.self)
                packNibbles(words, place + 64, place + 128, place + 256, place + 320)
            default:
                var lane = 0
                while lane < 8 {
                    (place + lane * 64).storeBytes(of: words[lane], as: UInt32.self)
                    lane += 1
                }
            }
            row += 1
        }
    }

    /// Packs the low halves of 32 codes of a row.
    @inline(__always)
    private static func packNibbles(
        _ words: SIMD8<UInt32>, _ line0: UnsafeMutableRawPointer, _ line1: UnsafeMutableRawPointer,
        _ line2: UnsafeMutableRawPointer, _ line3: UnsafeMutableRawPointer
    ) {
        let nibbles = words & 0x0f0f_0f0f
        line0.storeBytes(of: nibbles[0] | nibbles[1] &<< 4, as: UInt32.self)
        line1.storeBytes(of: nibbles[2] | nibbles[3] &<< 4, as: UInt32.self)
        line2.storeBytes(of: nibbles[4] | nibbles[5] &<< 4, as: UInt32.self)
        line3.storeBytes(of: nibbles[6] | nibbles[7] &<< 4, as: UInt32.self)
    }

    /// Implements the requirement of `KernelFamily`, column by column.
    public static func unpackRow(
        _ weights: PackedQuantizedWeights, row: Int, factor: Float, out: UnsafeMutablePointer<Float>
    ) {
        let format = weights.format
        let (groupColumns, sectionColumns) = (format.groupColumns, format.sectionColumns)
        let (headerBytes, hasSuperBlocks, bits) = (format.headerBytes, format.hasSuperBlocks, format.codes.bits)
        let (scaleBytes, minimumBytes) = (format.scales.bytes, format.minima.bytes)
        let lane = row % 16
        let rowFactor = format.rowFactor == .none ? 1 : weights.rowFactors[row]
        var cursor = weights.blocks + row / 16 * format.blockBytes(columns: weights.columns)
        var superLine = cursor
        var column = 0
        while column < weights.columns {
            if hasSuperBlocks && column % 256 == 0 {
                superLine = cursor
                cursor += 64
            }
            let header = cursor
            let minima = header + (format.minima == .uint8 ? 32 : headerBytes - 64)
            cursor += headerBytes
            var k = 0
            while k < sectionColumns && column + k < weights.columns {
                let place = k / groupColumns * 16 + lane
                out[column + k] =
                    format.value(
                        code: code(cursor, bits: bits, row: lane, column: k), scale: header + place * scaleBytes,
                        minimum: minima + place * minimumBytes, superScale: superLine + lane * 2,
                        superMinimum: superLine + 32 + lane * 2, rowFactor: rowFactor) * factor
                k += 1
            }
            cursor += sectionColumns * bits * 2
            column += sectionColumns
        }
    }

    /// Returns one code of a section.
    @inline(__always)
    private static func code(_ lines: UnsafeRawPointer, bits: Int, row: Int, column: Int) -> UInt8 {
        let byte = row * 4 + column % 4
        if bits == 8 { return lines.load(fromByteOffset: column / 4 * 64 + byte, as: UInt8.self) }
        // The number of columns that share a line of upper bits, and the number of upper bits of a column.
        let (unit, width) = bits == 5 ? (32, 1) : bits == 6 ? (16, 2) : (8, 0)
        let lines = lines + column / unit * (unit * bits * 2)
        let nibbles = lines + (bits == 4 ? 0 : 64) + column % unit / 8 * 64
        let nibble = nibbles.load(fromByteOffset: byte, as: UInt8.self) &>> UInt8(column % 8 / 4 * 4) & 15
        if bits == 4 { return nibble }
        let upper = lines.load(fromByteOffset: byte, as: UInt8.self) &>> UInt8(column % unit / 4 * width)
        return nibble | (upper & UInt8(1 &<< width &- 1)) &<< 4
    }
}
