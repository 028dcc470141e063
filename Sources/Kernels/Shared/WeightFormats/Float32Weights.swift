import KernelInterface

extension Kernels {
    /// Float32 weights in lines of 1 column (P16x1), with row r at 4r.
    public enum Float32Weights: LineFormat {
        static var lineColumns: Int { 1 }
        static var elementBytes: Int { 4 }
        static var isDecoded: Bool { false }

        @inline(__always)
        static func offset(row: Int, column: Int) -> Int { column * 64 + row * 4 }

        @inline(__always)
        static func storeCode(_ element: UnsafeRawPointer?, _ code: UnsafeMutableRawPointer) {
            code.storeBytes(of: element?.loadUnaligned(as: UInt32.self) ?? 0, as: UInt32.self)
        }

        @inline(__always)
        static func value(_ code: UnsafeRawPointer) -> Float { code.load(as: Float.self) }
    }

    /// Float16 weights of a checkpoint, packed as float32.
    public enum Float16Weights: LineFormat {
        static var lineColumns: Int { 1 }
        static var elementBytes: Int { 2 }
        static var isDecoded: Bool { false }

        @inline(__always)
        static func offset(row: Int, column: Int) -> Int { Float32Weights.offset(row: row, column: column) }

        @inline(__always)
        static func storeCode(_ element: UnsafeRawPointer?, _ code: UnsafeMutableRawPointer) {
            code.storeBytes(of: float32(element?.loadUnaligned(as: UInt16.self) ?? 0), as: Float.self)
        }

        @inline(__always)
        static func value(_ code: UnsafeRawPointer) -> Float { code.load(as: Float.self) }

        /// Converts IEEE binary16 to binary32, exactly. At its float32 position, a number is the value times 2^-112. Infinity and
        /// NaN are handled separately.
        @inline(__always)
        private static func float32(_ half: UInt16) -> Float {
            let sign = UInt32(truncatingIfNeeded: half & 0x8000) &<< 16
            let magnitude = UInt32(truncatingIfNeeded: half & 0x7fff) &<< 13
            if half & 0x7c00 == 0x7c00 { return Float(bitPattern: sign | magnitude | 0x7f80_0000) }
            return Float(bitPattern: sign | magnitude) * 0x1p112
        }
    }
}
