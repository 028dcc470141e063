/// The scales and minima of 256 columns of 16 rows, decoded: 16 groups of scales, 16 of minima or negated zero points, superscales
/// and superminima, 64 bytes each. The same of a second block of rows. Then what a tile needs too rarely to keep it in registers:
/// 8 sums of all segments, and 8 of the minima in a segment.
///
/// A pointer, since a struct of the module would come with code that modules share.
typealias TileHeaders = UnsafeMutableRawPointer

extension TileHeaders {
    @inline(__always)
    func scale(_ group: Int) -> SIMD16<Float> { load(fromByteOffset: group * 64, as: SIMD16<Float>.self) }

    @inline(__always)
    func minimum(_ group: Int) -> SIMD16<Float> {
        load(fromByteOffset: 1024 + group * 64, as: SIMD16<Float>.self)
    }

    /// Negated.
    @inline(__always)
    func zeroPoints(_ group: Int) -> SIMD16<Int32> {
        load(fromByteOffset: 1024 + group * 64, as: SIMD16<Int32>.self)
    }

    var superScale: SIMD16<Float> {
        @inline(__always) get { load(fromByteOffset: 2048, as: SIMD16<Float>.self) }
    }
    var superMinimum: SIMD16<Float> {
        @inline(__always) get { load(fromByteOffset: 2112, as: SIMD16<Float>.self) }
    }

    /// Those of a block of rows of a tile.
    @inline(__always)
    func of(_ block: Int) -> TileHeaders { self + block * 2176 }

    @inline(__always)
    func total(_ index: Int) -> SIMD16<Float> {
        load(fromByteOffset: 4352 + index * 64, as: SIMD16<Float>.self)
    }

    @inline(__always)
    func setTotal(_ index: Int, _ value: SIMD16<Float>) {
        storeBytes(of: value, toByteOffset: 4352 + index * 64, as: SIMD16<Float>.self)
    }

    @inline(__always)
    func minima(_ index: Int) -> SIMD16<Float> {
        load(fromByteOffset: 4864 + index * 64, as: SIMD16<Float>.self)
    }

    @inline(__always)
    func setMinima(_ index: Int, _ value: SIMD16<Float>) {
        storeBytes(of: value, toByteOffset: 4864 + index * 64, as: SIMD16<Float>.self)
    }
}
