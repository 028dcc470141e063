/// A format of quantized weights, with codes of 4 to 8 bits and scales for groups of columns of a row.
///
/// The value of a weight is computed in float32, each operation rounded once, in this order:
///
///     scale = superscale * group scale                  (only the group scale without super-blocks)
///     value = (code's value - zero point) * scale
///     value = value + minimum                           or value - superminimum * minimum
///     value = code's value * (scale * row factor)       or code's value * (scale / row factor)
///
/// Steps with parts that the format does not have are omitted. ``QuantizedRows/value(row:column:)`` is this definition in code.
public struct QuantizedFormat: Hashable, Sendable {
    /// The meaning of a code.
    public enum Codes: Hashable, Sendable, CaseIterable {
        /// 4 bits, 0 ... 15.
        case uint4
        /// 4 bits, the value plus 8.
        case int4
        /// 4 bits: a sign bit, two exponent bits and a fraction bit. The values are 0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives.
        case e2m1
        /// 4 bits, an index into the table of IQ4_NL and IQ4_XS.
        case iq4
        /// 5 bits, 0 ... 31.
        case uint5
        /// 5 bits, the value plus 16.
        case int5
        /// 6 bits, the value plus 32.
        case int6
        /// 8 bits, 0 ... 255.
        case uint8
        /// 8 bits, the value plus 128.
        case int8
    }

    /// The representation of the scale of a group.
    public enum Scales: Hashable, Sendable, CaseIterable {
        /// All scales are 1, and the format has row factors.
        case none
        case float16
        case bfloat16
        case float32
        /// E4M3FN.
        case float8
        /// E8M0: 2^(e - 127). 255 is not allowed.
        case exponent
        /// An integer that is multiplied by the float16 superscale of 256 columns.
        case uint8
        case int8
    }

    /// The minimum or zero point of a group.
    public enum Minima: Hashable, Sendable, CaseIterable {
        case none
        /// A byte that is subtracted from the code.
        case zeroPoint
        /// A float16 that is added to the scaled value.
        case float16
        /// A byte that is multiplied by the float16 superminimum of 256 columns and then subtracted. Only with ``Scales/uint8``.
        case uint8
    }

    /// The use of the factor of a row.
    public enum RowFactor: Hashable, Sendable, CaseIterable {
        case none
        /// The scales are multiplied by the factor.
        case multiplied
        /// The scales are divided by the factor.
        case divided
    }

    public let codes: Codes
    /// The number of columns that share a scale: 16, 32, 64 or 128. The last group of a row may have fewer.
    public let groupColumns: Int
    public let scales: Scales
    public let minima: Minima
    public let rowFactor: RowFactor

    public init(
        _ codes: Codes, groupColumns: Int, scales: Scales, minima: Minima = .none, rowFactor: RowFactor = .none
    ) {
        precondition([16, 32, 64, 128].contains(groupColumns), "a supported width of groups")
        precondition(
            minima != .zeroPoint || [.uint4, .uint5, .uint8].contains(codes), "zero points of codes without offset")
        precondition(minima != .float16 || scales.bytes == 2, "as many minima in a line as scales")
        precondition(groupColumns >= 32 || codes.bits != 5, "upper bits of 5 are in lines of 32 columns")
        precondition((minima == .uint8) == (scales == .uint8), "superminima and superscales come together")
        precondition(scales != .uint8 || groupColumns == 32, "two groups of scales and minima in a line")
        self.codes = codes
        self.groupColumns = groupColumns
        self.scales = scales
        self.minima = minima
        self.rowFactor = rowFactor
        precondition((32...256).contains(sectionColumns), "a section has at most 256 columns")
    }
}

// The formats of checkpoints, under the names of GGUF without underscores.
extension QuantizedFormat {
    public static let q40 = QuantizedFormat(.int4, groupColumns: 32, scales: .float16)
    public static let q41 = QuantizedFormat(.uint4, groupColumns: 32, scales: .float16, minima: .float16)
    public static let q50 = QuantizedFormat(.int5, groupColumns: 32, scales: .float16)
    public static let q51 = QuantizedFormat(.uint5, groupColumns: 32, scales: .float16, minima: .float16)
    public static let q80 = QuantizedFormat(.int8, groupColumns: 32, scales: .float16)
    public static let q4K = QuantizedFormat(.uint4, groupColumns: 32, scales: .uint8, minima: .uint8)
    public static let q5K = QuantizedFormat(.uint5, groupColumns: 32, scales: .uint8, minima: .uint8)
    public static let q6K = QuantizedFormat(.int6, groupColumns: 16, scales: .int8)
    public static let iq4NL = QuantizedFormat(.iq4, groupColumns: 32, scales: .float16)
    /// The scale of a group is the stored scale minus 32.
    public static let iq4XS = QuantizedFormat(.iq4, groupColumns: 32, scales: .int8)
    public static let mxfp4 = QuantizedFormat(.e2m1, groupColumns: 32, scales: .exponent)

    /// Returns NVFP4.
    ///
    /// - Parameter rowFactor: How the global scale of the matrix is applied.
    public static func nvfp4(_ rowFactor: RowFactor) -> QuantizedFormat {
        QuantizedFormat(.e2m1, groupColumns: 16, scales: .float8, rowFactor: rowFactor)
    }

    /// Returns a format with one scale per row, which is its row factor.
    public static func channel(_ codes: Codes) -> QuantizedFormat {
        QuantizedFormat(codes, groupColumns: 128, scales: .none, rowFactor: .multiplied)
    }

    /// Returns a format of symmetric 4-bit or 8-bit integers in groups.
    public static func grouped(_ codes: Codes, groupColumns: Int, scales: Scales) -> QuantizedFormat {
        QuantizedFormat(codes, groupColumns: groupColumns, scales: scales)
    }

    /// Returns a format of integers with a zero point for each group. A row with one scale is stored as a row of equal groups.
    ///
    /// - Parameter codes: Codes without an offset.
    public static func asymmetric(_ codes: Codes, groupColumns: Int, scales: Scales) -> QuantizedFormat {
        QuantizedFormat(codes, groupColumns: groupColumns, scales: scales, minima: .zeroPoint)
    }
}

extension QuantizedFormat.Codes {
    /// The number of bits of a code: 4, 5, 6 or 8.
    public var bits: Int {
        switch self {
        case .uint4, .int4, .e2m1, .iq4: 4
        case .uint5, .int5: 5
        case .int6: 6
        case .uint8, .int8: 8
        }
    }

    /// Returns the value of a code.
    public func value(_ code: UInt8) -> Float {
        switch self {
        case .uint4, .uint5, .uint8: Float(code)
        case .int4: Float(Int(code) - 8)
        case .int5: Float(Int(code) - 16)
        case .int6: Float(Int(code) - 32)
        case .int8: Float(Int(code) - 128)
        case .e2m1: code & 8 == 0 ? e2m1(code) : -e2m1(code)
        case .iq4: Float(iq4Value(code))
        }
    }

    private func e2m1(_ code: UInt8) -> Float {
        let (exponent, fraction) = (code >> 1 & 3, Float(code & 1))
        return exponent == 0 ? fraction / 2 : (2 + fraction) * Float(1 << exponent) / 4
    }
}

/// Returns the entry of the table of IQ4_NL and IQ4_XS, in -127 ... 113, at the index of a 4-bit code.
public func iq4Value(_ code: UInt8) -> Int {
    // The table is a pair of constants, because an array would be generic code of the standard library.
    let (low, high): (UInt64, UInt64) = (0xf6ea_ddcf_bfad_9881, 0x7159_4535_2619_0d01)
    let half = code & 8 == 0 ? low : high
    return Int(Int8(truncatingIfNeeded: half >> (UInt64(code & 7) * 8)))
}

extension QuantizedFormat.Scales {
    /// The number of bytes of a scale, or 0 without scales.
    public var bytes: Int {
        switch self {
        case .none: 0
        case .float16, .bfloat16: 2
        case .float32: 4
        case .float8, .exponent, .uint8, .int8: 1
        }
    }
}

extension QuantizedFormat.Minima {
    /// The number of bytes of a group's minimum, or 0 without minima.
    public var bytes: Int {
        switch self {
        case .none: 0
        case .zeroPoint, .uint8: 1
        case .float16: 2
        }
    }
}

// The packed layout. A matrix consists of blocks of 16 rows, and a block is a sequence of sections of some columns. A section has
// lines of 64 bytes with scales and minima of the 16 rows, followed by lines with codes.
extension QuantizedFormat {
    /// Whether every 256 columns of 16 rows begin with a line of superscales, followed by superminima.
    public var hasSuperBlocks: Bool { scales == .uint8 || scales == .int8 }

    /// The number of columns of a section: as many groups as have their scales in one line.
    public var sectionColumns: Int {
        switch scales {
        case .none: 128
        case .float16, .bfloat16, .uint8: groupColumns * 2
        case .float32: groupColumns
        case .float8, .exponent, .int8: groupColumns * 4
        }
    }

    /// The number of bytes of a section before its codes.
    public var headerBytes: Int {
        (scales == .none ? 0 : 64) + (minima == .zeroPoint || minima == .float16 ? 64 : 0)
    }

    /// The number of bytes of a section.
    public var sectionBytes: Int { headerBytes + sectionColumns * codes.bits * 2 }

    /// Returns `columns` rounded up to whole sections and super-blocks.
    public func packedColumns(_ columns: Int) -> Int {
        let whole = hasSuperBlocks ? 256 : sectionColumns
        return (columns + whole - 1) / whole * whole
    }

    /// Returns the number of bytes of a block of 16 rows.
    public func blockBytes(columns: Int) -> Int {
        let packed = packedColumns(columns)
        return packed / sectionColumns * sectionBytes + (hasSuperBlocks ? packed / 256 * 64 : 0)
    }

    /// Returns the number of bytes of a packed matrix, without its row factors.
    public func bytes(rows: Int, columns: Int) -> Int { (rows + 15) / 16 * blockBytes(columns: columns) }
}
