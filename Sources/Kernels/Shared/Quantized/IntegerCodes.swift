import KernelInterface

/// The storage of codes in lines, and the unsigned integers that stand for the codes in products with the integers of x. Each
/// family multiplies them with its own instructions, in the file `IntegerDot.swift`.
///
/// A kernel is compiled for each conforming type. All other properties of a format are evaluated at run time.
protocol IntegerCodes {
    /// The number of bits of a code: 4, 5, 6 or 8.
    static var bits: Int { get }

    /// The largest unsigned integer.
    static var largest: Int { get }

    /// The integers of the codes 0 ..< 8 and 8 ..< 16, one byte each, or `nil` if they are the codes themselves.
    static var table: (low: UInt64, high: UInt64)? { get }

    /// Whether the lines are decoded lines in a cache, without headers between them.
    static var isPanel: Bool { get }
}

extension IntegerCodes {
    static var largest: Int { 1 &<< bits &- 1 }
    static var table: (low: UInt64, high: UInt64)? { nil }
    static var isPanel: Bool { false }
}

enum NibbleCodes: IntegerCodes {
    static var bits: Int { 4 }
}

/// The integers are twice the values of E2M1, plus 12.
enum E2M1Codes: IntegerCodes {
    static var bits: Int { 4 }
    static var largest: Int { 24 }
    static var table: (low: UInt64, high: UInt64)? { (0x1814_1210_0f0e_0d0c, 0x0004_0608_090a_0b0c) }
}

/// The integers are the values of IQ4, plus 127.
enum IQ4Codes: IntegerCodes {
    static var bits: Int { 4 }
    static var largest: Int { 240 }
    static var table: (low: UInt64, high: UInt64)? { (0x7569_5c4e_3e2c_1700, 0xf0d8_c4b4_a598_8c80) }
}

enum FiveBitCodes: IntegerCodes {
    static var bits: Int { 5 }
}

enum SixBitCodes: IntegerCodes {
    static var bits: Int { 6 }
}

enum ByteCodes: IntegerCodes {
    static var bits: Int { 8 }
}

/// The decoded unsigned integers of any codes.
enum PanelCodes: IntegerCodes {
    static var bits: Int { 8 }
    static var isPanel: Bool { true }
}

extension QuantizedFormat.Codes {
    /// The number that is subtracted from the integer of a code. The value is the difference times `unit`.
    var offset: Int32 {
        switch self {
        case .uint4, .uint5, .uint8: 0
        case .int4: 8
        case .int5: 16
        case .int6: 32
        case .int8: 128
        case .e2m1: 12
        case .iq4: 127
        }
    }
}
