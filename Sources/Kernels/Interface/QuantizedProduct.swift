/// A packed matrix (rows, columns) = (out, in) in a quantized format.
public struct PackedQuantizedWeights {
    public let format: QuantizedFormat
    /// Blocks of 16 rows, each of `format.blockBytes(columns:)` bytes, at a multiple of 64 bytes.
    public let blocks: UnsafeRawPointer
    /// (row blocks, 16); read only if the format has row factors.
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

/// The bytes of a row of x that is encoded for products with quantized weights.
///
/// Each 128 columns (a segment) have a scale, the largest magnitude / 127, 32512 or 8323072; a number is its integer v times
/// that scale. v is one, two or three signed bytes, v = 65536 g + 256 h + l. The row has all l, then all h, then all g, in
/// ascending columns, with zeros up to a multiple of 128; then the scales in float32; then the sums of v over each 16, 32, 64 and
/// 128 columns, which correct products for codes that are stored with an offset.
public struct IntegerRowLayout: Sendable, Equatable {
    public let columns: Int
    /// Bytes of an integer: 1, 2 or 3.
    public let terms: Int

    public init(columns: Int, terms: Int) {
        precondition((1...3).contains(terms), "an integer has 1 to 3 bytes")
        self.columns = columns
        self.terms = terms
    }

    /// Columns of a segment.
    public static var segmentColumns: Int { 128 }
    public var segments: Int { (columns + 127) / 128 }
    /// Bytes from l to h and from h to g.
    public var termBytes: Int { segments * 128 }
    public var scalesOffset: Int { terms * termBytes }
    /// For each segment 16 sums of 256 h + l as Int32: 8 of 16 columns, 4 of 32, 2 of 64, the total, and a zero. With three
    /// terms, sums of g follow for all segments.
    public var sumsOffset: Int { scalesOffset + (segments * 4 + 63) / 64 * 64 }
    /// Bytes from the sums of 256 h + l to those of g.
    public var sumsBytes: Int { segments * 64 }
    /// Bytes of a row, a multiple of 64 but not of 4096: otherwise the same columns of several rows, which a product reads
    /// together, would map to the same cache sets.
    public var bytes: Int {
        let bytes = sumsOffset + (terms == 3 ? 2 : 1) * sumsBytes
        return bytes % 4096 == 0 ? bytes + 64 : bytes
    }
}
