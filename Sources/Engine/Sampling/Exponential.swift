// The exponential function over a whole row. The C library's function takes one number at a time, which costs more than the rest of
// sampling for a large vocabulary. This loop has no calls and no branches, so the compiler vectorizes it.

/// The exponential function exp(x) for x in [-infinity, 0], within 2 units in the last place. The result is 0 below -708, where
/// float64 has no normal numbers.
enum Exponential {
    /// Replaces each of the `count` numbers with its exponential.
    static func apply(to numbers: UnsafeMutablePointer<Double>, count: Int) {
        for index in 0..<count { numbers[index] = value(numbers[index]) }
    }

    @inline(__always)
    static func value(_ x: Double) -> Double {
        let clamped = x < smallest ? smallest : x
        // x = n ln 2 + r with |r| <= ln 2 / 2. Adding 1.5 * 2^52 rounds to the integer n and leaves it in the low bits.
        let shifted = clamped * 0x1.71547652b82fep+0 + 0x1.8p52
        let n = shifted - 0x1.8p52
        let r = (clamped - n * 0x1.62e42feep-1) - n * 0x1.a39ef35793c76p-33
        let power = Double(bitPattern: (shifted.bitPattern &+ 1023) &<< 52)
        let result = taylor(r) * power
        return x < smallest ? 0 : result
    }

    private static let smallest = -708.0

    /// The Taylor series of exp up to r^13. The remainder is below float64's precision for |r| <= ln 2 / 2.
    @inline(__always)
    private static func taylor(_ r: Double) -> Double {
        var sum = 1 / 6_227_020_800.0
        sum = sum * r + 1 / 479_001_600.0
        sum = sum * r + 1 / 39_916_800.0
        sum = sum * r + 1 / 3_628_800.0
        sum = sum * r + 1 / 362_880.0
        sum = sum * r + 1 / 40_320.0
        sum = sum * r + 1 / 5_040.0
        sum = sum * r + 1 / 720.0
        sum = sum * r + 1 / 120.0
        sum = sum * r + 1 / 24.0
        sum = sum * r + 1 / 6.0
        sum = sum * r + 0.5
        sum = sum * r + 1
        return sum * r + 1
    }
}
