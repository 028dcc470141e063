import JSON
import TestSupport
import Testing

@testable import Checkpoints

struct Float8Tests {
    @Test func `every code decodes to the value of the table`() throws {
        let table = try #require(Fixtures.json("model/fp8_e4m3fn_table.json")["values"]?.array)
        #expect(table.count == 256)
        for (code, value) in table.enumerated() {
            let decoded = Float8.values[code]
            if let expected = value.double {
                #expect(Double(decoded) == expected, "code \(code)")
                #expect(decoded.sign == (code < 128 ? .plus : .minus), "code \(code)")
            } else {
                #expect(decoded.isNaN, "code \(code)")
            }
        }
    }

    @Test func `every code survives decoding and encoding`() {
        for code in UInt8.min...UInt8.max where code & 0x7F != 0x7F {
            #expect(Float8.encode(Float8.values[Int(code)]) == code)
        }
        #expect(Float8.values[Int(Float8.encode(.nan))].isNaN)
    }

    @Test func `a number between two codes goes to the nearer, a midpoint to the even one`() {
        for low in UInt8(0)..<0x7E {
            let below = Float8.values[Int(low)]
            let above = Float8.values[Int(low) + 1]
            let middle = (below + above) / 2
            let even = low.isMultiple(of: 2) ? low : low + 1
            for sign in [Float(1), -1] {
                let bit: UInt8 = sign < 0 ? 0x80 : 0
                #expect(Float8.encode(sign * middle) == even | bit, "\(middle)")
                #expect(Float8.encode(sign * middle.nextDown) == low | bit, "\(middle)")
                #expect(Float8.encode(sign * middle.nextUp) == (low + 1) | bit, "\(middle)")
            }
        }
    }

    @Test(arguments: [448.1, 464, 1e30, .infinity] as [Float])
    func `numbers beyond the largest are clamped`(value: Float) {
        #expect(Float8.encode(value) == 0x7E)
        #expect(Float8.encode(-value) == 0xFE)
    }

    @Test func `a scale of powers of two is read`() {
        #expect(FloatConversion.e8m0(127) == 1)
        #expect(FloatConversion.e8m0(0) == 0x1p-127)
        #expect(FloatConversion.e8m0(1) == 0x1p-126)
        #expect(FloatConversion.e8m0(254) == 0x1p127)
        #expect(FloatConversion.e8m0(255).isNaN)
    }
}
