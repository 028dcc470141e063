/// The memory that tiles of a product share for up to 256 columns of up to two blocks of rows and ``chunkTokens`` tokens:
///
///     for each block, 2176 bytes:  16 groups of scales; 16 of minima or of negated zero points; superscales; superminima
///     for each token of a tile, 192 bytes:  corrections by the offset, and sums of x, for a segment
///     for each token, 128 bytes:   the totals of the 16 rows of each block
///     only for panels:
///     for each block, 4096 bytes:  codes of 8 bits, four columns of 16 rows in a line
///
/// It is a pointer, because a struct of the module would come with code that modules share.
typealias TileMemory = UnsafeMutableRawPointer

/// The number of bytes from a line to the line that is prefetched with it. If two blocks are computed at once, it is at least this.
@inline(__always)
var ahead: Int { 8192 }

/// The maximum number of tokens that share a decoding.
@inline(__always)
var chunkTokens: Int { 128 }

/// Returns the number of tokens of the next tile of two blocks. The last two tiles have nearly equal sizes.
@inline(__always)
func tallTile(_ left: Int, atMost most: Int) -> Int {
    left <= most ? left : left < 2 * most ? (left + 1) / 2 : most
}

/// The number of bytes for the maximum number of tokens.
@inline(__always)
var tileMemoryBytes: Int { 5888 + chunkTokens * 128 + 2 * 4096 }

extension TileMemory {
    /// Returns the decoded scales and minima of a block.
    @inline(__always)
    func headers(_ block: Int) -> TileMemory { self + block * 2176 }

    // The following are for the pointer that `headers` returns.

    @inline(__always)
    func scale(_ group: Int) -> SIMD16<Float> { load(fromByteOffset: group * 64, as: SIMD16<Float>.self) }

    @inline(__always)
    func minimum(_ group: Int) -> SIMD16<Float> {
        load(fromByteOffset: 1024 + group * 64, as: SIMD16<Float>.self)
    }

    /// Returns the negated zero points.
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

    /// Returns the totals of a token.
    @inline(__always)
    func token(_ index: Int) -> TileMemory { self + 5888 + index * 128 }

    // The following are for the pointer that `token` returns.

    @inline(__always)
    func total(_ block: Int) -> SIMD16<Float> { load(fromByteOffset: block * 64, as: SIMD16<Float>.self) }

    @inline(__always)
    func setTotal(_ block: Int, _ value: SIMD16<Float>) {
        storeBytes(of: value, toByteOffset: block * 64, as: SIMD16<Float>.self)
    }

    @inline(__always)
    func addToTotal(_ block: Int, _ sum: SIMD16<Float>, _ scale: Float) {
        setTotal(block, multiplyAdd(sum, SIMD16(repeating: scale), total(block)))
    }

    /// Returns the decoded codes of a block.
    @inline(__always)
    func panel(_ block: Int) -> TileMemory { self + 5888 + chunkTokens * 128 + block * 4096 }

    /// Returns the sums of a token of a tile.
    @inline(__always)
    func sums(_ index: Int) -> TileMemory { self + 4352 + index * 192 }

    // The following are for the pointer that `sums` returns. All numbers of a segment are stored at once, at the places of
    // the sums of an encoded row, and loaded one by one into all lanes.

    @inline(__always)
    func setCorrections(_ corrections: SIMD16<Int32>) { storeBytes(of: corrections, as: SIMD16<Int32>.self) }

    @inline(__always)
    func setUpperCorrections(_ corrections: SIMD16<Int32>) {
        storeBytes(of: corrections, toByteOffset: 64, as: SIMD16<Int32>.self)
    }

    @inline(__always)
    func correction(_ place: Int) -> SIMD16<Int32> {
        SIMD16(repeating: load(fromByteOffset: place, as: Int32.self))
    }

    @inline(__always)
    func upperCorrection(_ place: Int) -> SIMD16<Int32> {
        SIMD16(repeating: load(fromByteOffset: 64 + place, as: Int32.self))
    }

    @inline(__always)
    func setSums(_ sums: SIMD16<Float>) { storeBytes(of: sums, toByteOffset: 128, as: SIMD16<Float>.self) }

    @inline(__always)
    func sum(_ place: Int) -> SIMD16<Float> {
        SIMD16(repeating: load(fromByteOffset: 128 + place, as: Float.self))
    }
}
