import KernelInterface

extension Kernels {
    /// Bfloat16 weights in lines of 2 columns (P16x2), with columns (k0, k1) of row r at 4r.
    public enum BFloat16Weights: LineFormat {
        static var lineColumns: Int { 2 }
        static var elementBytes: Int { 2 }

        @inline(__always)
        static func offset(row: Int, column: Int) -> Int { column / 2 * 64 + row * 4 + column % 2 * 2 }

        @inline(__always)
        static func storeCode(_ element: UnsafeRawPointer?, _ code: UnsafeMutableRawPointer) {
            code.storeBytes(of: element?.loadUnaligned(as: UInt16.self) ?? 0, as: UInt16.self)
        }

        @inline(__always)
        static func value(_ code: UnsafeRawPointer) -> Float {
            Float(bitPattern: UInt32(truncatingIfNeeded: code.load(as: UInt16.self)) &<< 16)
        }

        @inline(__always)
        static func decode(_ lines: UnsafeRawPointer, _ count: Int, _ panel: UnsafeMutablePointer<Float>) {
            var line = 0
            while line < count {
                prefetch(lines + line * 64 + 4096)
                let pairs = (lines + line * 64).loadUnaligned(as: SIMD16<UInt32>.self)
                store16(unsafeBitCast(pairs &<< 16, to: SIMD16<Float>.self), panel, line * 32)
                store16(unsafeBitCast(pairs & 0xffff_0000, to: SIMD16<Float>.self), panel, line * 32 + 16)
                line += 1
            }
        }
    }
}
