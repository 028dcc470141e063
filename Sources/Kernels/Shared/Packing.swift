// Row-major weights into blocks of 16 rows, each a sequence of 64-byte lines: 1 column of float32 (P16x1), 2 of
// bfloat16 (P16x2) or 4 of float8 (P16x4) in a line. Missing rows and columns are zeros.
//
// P16x1: value of row r at 4r. P16x2: columns (k0, k1) of row r at 4r. P16x4: rows in four quarters of 16 bytes; in the
// quarter of rows 4q ..< 4q + 4 first (k0, k1) of each row, then (k2, k3) of each.

extension Kernels {
    /// Packs row blocks `firstBlock ..< firstBlock + blocks` of float32 `source` (rows, columns) into `target`, where
    /// block 0 begins.
    public static func packFloat32(
        source: UnsafeRawPointer, rows: Int, columns: Int, firstBlock: Int, blocks: Int, target: UnsafeMutableRawPointer
    ) {
        var r = firstBlock * 16
        while r < (firstBlock + blocks) * 16 {
            let lines = target + r / 16 * columns * 64 + r % 16 * 4
            var k = 0
            while k < columns {
                let value = r < rows ? (source + (r * columns + k) * 4).loadUnaligned(as: UInt32.self) : 0
                lines.storeBytes(of: value, toByteOffset: k * 64, as: UInt32.self)
                k += 1
            }
            r += 1
        }
    }

    /// Packs float16 `source` as float32 (P16x1).
    public static func packFloat16(
        source: UnsafeRawPointer, rows: Int, columns: Int, firstBlock: Int, blocks: Int, target: UnsafeMutableRawPointer
    ) {
        var r = firstBlock * 16
        while r < (firstBlock + blocks) * 16 {
            let lines = target + r / 16 * columns * 64 + r % 16 * 4
            var k = 0
            while k < columns {
                let half = r < rows ? (source + (r * columns + k) * 2).loadUnaligned(as: UInt16.self) : 0
                lines.storeBytes(of: float32(half), toByteOffset: k * 64, as: Float.self)
                k += 1
            }
            r += 1
        }
    }

    /// Packs bfloat16 `source` (P16x2).
    public static func packBFloat16(
        source: UnsafeRawPointer, rows: Int, columns: Int, firstBlock: Int, blocks: Int, target: UnsafeMutableRawPointer
    ) {
        let lineCount = (columns + 1) / 2
        var r = firstBlock * 16
        while r < (firstBlock + blocks) * 16 {
            let lines = target + r / 16 * lineCount * 64 + r % 16 * 4
            var k = 0
            while k < lineCount * 2 {
                let isInside = r < rows && k < columns
                let value = isInside ? (source + (r * columns + k) * 2).loadUnaligned(as: UInt16.self) : 0
                lines.storeBytes(of: value, toByteOffset: k / 2 * 64 + k % 2 * 2, as: UInt16.self)
                k += 1
            }
            r += 1
        }
    }

    /// Packs E4M3FN `source` (P16x4).
    public static func packFloat8(
        source: UnsafeRawPointer, rows: Int, columns: Int, firstBlock: Int, blocks: Int, target: UnsafeMutableRawPointer
    ) {
        let lineCount = (columns + 3) / 4
        var r = firstBlock * 16
        while r < (firstBlock + blocks) * 16 {
            let lines = target + r / 16 * lineCount * 64
            var k = 0
            while k < lineCount * 4 {
                let isInside = r < rows && k < columns
                let value = isInside ? (source + r * columns + k).loadUnaligned(as: UInt8.self) : 0
                lines.storeBytes(of: value, toByteOffset: float8Offset(r % 16, k), as: UInt8.self)
                k += 1
            }
            r += 1
        }
    }

    /// Row `row` of a packed float32 matrix, times its scale and `factor`: out (columns).
    public static func unpackRowFloat32(
        weights: UnsafeRawPointer, scales: UnsafePointer<Float>, scaleColumns: Int, scaleWidth: Int, columns: Int,
        row: Int, factor: Float, out: UnsafeMutablePointer<Float>
    ) {
        let lines = weights + row / 16 * columns * 64 + row % 16 * 4
        let rowScales = scales + row / 16 * scaleColumns * 16 + row % 16
        var k = 0
        while k < columns {
            out[k] = lines.load(fromByteOffset: k * 64, as: Float.self) * rowScales[k / scaleWidth * 16] * factor
            k += 1
        }
    }

    /// The same of a bfloat16 matrix.
    public static func unpackRowBFloat16(
        weights: UnsafeRawPointer, scales: UnsafePointer<Float>, scaleColumns: Int, scaleWidth: Int, columns: Int,
        row: Int, factor: Float, out: UnsafeMutablePointer<Float>
    ) {
        let lines = weights + row / 16 * ((columns + 1) / 2) * 64 + row % 16 * 4
        let rowScales = scales + row / 16 * scaleColumns * 16 + row % 16
        var k = 0
        while k < columns {
            let bits = lines.load(fromByteOffset: k / 2 * 64 + k % 2 * 2, as: UInt16.self)
            let value = Float(bitPattern: UInt32(truncatingIfNeeded: bits) &<< 16)
            out[k] = value * rowScales[k / scaleWidth * 16] * factor
            k += 1
        }
    }

    /// The same of an E4M3FN matrix.
    public static func unpackRowFloat8(
        weights: UnsafeRawPointer, scales: UnsafePointer<Float>, scaleColumns: Int, scaleWidth: Int, columns: Int,
        row: Int, factor: Float, out: UnsafeMutablePointer<Float>
    ) {
        let lines = weights + row / 16 * ((columns + 3) / 4) * 64
        let rowScales = scales + row / 16 * scaleColumns * 16 + row % 16
        var k = 0
        while k < columns {
            let code = lines.load(fromByteOffset: float8Offset(row % 16, k), as: UInt8.self)
            let bits =
                (UInt32(truncatingIfNeeded: code & 0x80) &<< 24) | (UInt32(truncatingIfNeeded: code & 0x7f) &<< 20)
            let value = Float(bitPattern: bits) * 0x1p120
            out[k] = value * rowScales[k / scaleWidth * 16] * factor
            k += 1
        }
    }

    @inline(__always)
    private static func float8Offset(_ row: Int, _ k: Int) -> Int {
        k / 4 * 64 + row / 4 * 16 + k % 4 / 2 * 8 + row % 4 * 2 + k % 2
    }

    /// IEEE binary16 to binary32, exactly: moved into place it is the value times 2^-112; infinity and NaN apart.
    @inline(__always)
    private static func float32(_ half: UInt16) -> Float {
        let sign = UInt32(truncatingIfNeeded: half & 0x8000) &<< 16
        let magnitude = UInt32(truncatingIfNeeded: half & 0x7fff) &<< 13
        if half & 0x7c00 == 0x7c00 { return Float(bitPattern: sign | magnitude | 0x7f80_0000) }
        return Float(bitPattern: sign | magnitude) * 0x1p112
    }
}
