import KernelInterface

extension Kernels {
    /// E4M3FN weights in lines of 4 columns (P16x4). A line has four quarters of 16 bytes. The quarter of rows 4q ..< 4q + 4 has
    /// (k0, k1) of each row, then (k2, k3) of each. Each family has its own decoder.
    public enum Float8Weights: LineFormat {
        static var lineColumns: Int { 4 }
        static var elementBytes: Int { 1 }

        @inline(__always)
        static func offset(row: Int, column: Int) -> Int {
            column / 4 * 64 + row / 4 * 16 + column % 4 / 2 * 8 + row % 4 * 2 + column % 2
        }

        @inline(__always)
        static func storeCode(_ element: UnsafeRawPointer?, _ code: UnsafeMutableRawPointer) {
            code.storeBytes(of: element?.loadUnaligned(as: UInt8.self) ?? 0, as: UInt8.self)
        }

        /// Packs four rows of four columns at a time, a quarter of a line, which is faster than one element at a time.
        public static func pack(_ arguments: PackArguments) {
            let (rows, columns) = (arguments.rows, arguments.columns)
            let wholeColumns = columns / 4 * 4
            var r = arguments.firstBlock * 16
            let end = r + arguments.blocks * 16
            while r < end {
                guard r + 4 <= rows else { break }
                let source = arguments.source + r * columns
                let target = arguments.target + r / 16 * blockBytes(columns: columns) + r % 16 / 4 * 16
                var k = 0
                while k < wholeColumns {
                    let elements = SIMD4<UInt32>(
                        (source + k).loadUnaligned(as: UInt32.self),
                        (source + columns + k).loadUnaligned(as: UInt32.self),
                        (source + 2 * columns + k).loadUnaligned(as: UInt32.self),
                        (source + 3 * columns + k).loadUnaligned(as: UInt32.self))
                    let pairs = unsafeBitCast(elements, to: SIMD8<UInt16>.self)
                    (target + k * 16).storeBytes(of: pairs.evenHalf, as: SIMD4<UInt16>.self)
                    (target + k * 16 + 8).storeBytes(of: pairs.oddHalf, as: SIMD4<UInt16>.self)
                    k += 4
                }
                packElements(arguments, rows: r..<r + 4, from: wholeColumns)
                r += 4
            }
            packElements(arguments, rows: r..<end, from: 0)
        }

        /// Returns the value of a code. With sign, exponent and fraction at their float32 positions, a number is the value times
        /// 2^-120, also for subnormals.
        @inline(__always)
        static func value(_ code: UnsafeRawPointer) -> Float {
            let code = UInt32(truncatingIfNeeded: code.load(as: UInt8.self))
            return Float(bitPattern: (code & 0x80) &<< 24 | (code & 0x7f) &<< 20) * 0x1p120
        }
    }
}
