/// A packed matrix (rows, columns) = (out, in) in a quantized format.
public struct PackedQuantizedWeights {
    public let format: QuantizedFormat
    /// The blocks of 16 rows, each of `format.blockBytes(columns:)` bytes, aligned to 64 bytes.
    public let blocks: UnsafeRawPointer
    /// (row blocks, 16). They are read only if the format has row factors.
    public let rowFactors: UnsafePointer<Float>
    /// The matrix's shape without padding.
    public let rows: Int
    public let columns: Int

    public init(
        format: QuantizedFormat, blocks: UnsafeRawPointer, rowFactors: UnsafePointer<Float>, rows: Int, columns: Int
    ) {
        self.format = format
        self.blocks = blocks
        self.rowFactors = rowFactors
        self.rows = rows
        self.columns = columns
    }
}

/// The layout of a row of x that is encoded for products with quantized weights.
///
/// Every 128 columns (a segment) have a scale: the largest magnitude / 127, 32512 or 8323072. A number is its integer v times this
/// scale. v consists of one, two or three signed bytes, v = 65536 g + 256 h + l. The row has all l, then all h, then all g, in
/// ascending order of columns, with zeros up to a multiple of 128. The scales in float32 follow, and then the sums of v over each
/// 16, 32, 64 and 128 columns, which correct products with codes that are stored with an offset.
public struct IntegerRowLayout: Sendable, Equatable {
    public let columns: Int
    /// The number of bytes of an integer: 1, 2 or 3.
    public let terms: Int

    public init(columns: Int, terms: Int) {
        precondition((1...3).contains(terms), "an integer has 1 to 3 bytes")
        self.columns = columns
        self.terms = terms
    }

    /// The number of columns of a segment.
    public static var segmentColumns: Int { 128 }
    public var segments: Int { (columns + 127) / 128 }
    /// The number of bytes from l to h, and from h to g.
    public var termBytes: Int { segments * 128 }
    public var scalesOffset: Int { terms * termBytes }
    /// The offset of the sums. Each segment has 16 sums of 256 h + l as Int32: 8 of 16 columns, 4 of 32, 2 of 64, the total, and a
    /// zero. With three terms, sums of g follow for all segments.
    public var sumsOffset: Int { scalesOffset + (segments * 4 + 63) / 64 * 64 }
    /// The number of bytes from the sums of 256 h + l to those of g.
    public var sumsBytes: Int { segments * 64 }
    /// The number of bytes of a row, a multiple of 64 but not of 4096. Otherwise the same columns of several rows, which a product
    /// reads together, would map to the same cache sets.
    public var bytes: Int {
        let bytes = sumsOffset + (terms == 3 ? 2 : 1) * sumsBytes
        return bytes % 4096 == 0 ? bytes + 64 : bytes
    }
}
