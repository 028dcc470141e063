import PortableKernels
import Testing

@testable import Checkpoints

struct FiniteCheckTests {
    /// The types of weights, with finite codes, including the largest, and other codes.
    private static let types: [(type: TensorType, finite: [UInt32], notFinite: [UInt32])] = [
        (.float8E4M3, [0x7E, 0xFE, 0, 0x80, 0x70, 0x0F, 0x3F, 1], [0x7F, 0xFF]),
        (.bfloat16, [0x7F7F, 0xFF7F, 0, 0x8000, 1, 0x807F, 0x3F80], [0x7F80, 0xFF80, 0x7FC0, 0xFFFF, 0x7F81]),
        (.float16, [0x7BFF, 0xFBFF, 0, 0x8000, 1, 0x83FF, 0x3C00], [0x7C00, 0xFC00, 0x7E00, 0xFFFF, 0x7C01]),
        (
            .float32, [0x7F7F_FFFF, 0xFF7F_FFFF, 0, 0x8000_0000, 1, 0x807F_FFFF, 0x3F80_0000],
            [0x7F80_0000, 0xFF80_0000, 0x7FC0_0000, 0xFFFF_FFFF, 0x7F80_0001]
        ),
    ]

    private static func bytes(_ codes: [UInt32], size: Int) -> [UInt8] {
        codes.flatMap { code in (0..<size).map { UInt8(truncatingIfNeeded: code >> (8 * UInt32($0))) } }
    }

    @Test(arguments: types.indices) func `a code that is not finite is found at every index`(number: Int) {
        let (type, finite, notFinite) = Self.types[number]
        let size = type.size
        for count in [0, 1, 3, 31, 64, 257] {
            let codes = (0..<count).map { finite[$0 % finite.count] }
            var bytes = Self.bytes(codes, size: size)
            func found() -> Int? { bytes.withUnsafeBytes { FiniteCheck.firstNotFinite(in: $0, type: type) } }
            #expect(found() == nil)
            for index in 0..<count {
                let place = index * size..<(index + 1) * size
                bytes.replaceSubrange(place, with: Self.bytes([notFinite[index % notFinite.count]], size: size))
                #expect(found() == index)
                bytes.replaceSubrange(place, with: Self.bytes([codes[index]], size: size))
            }
        }
    }

    @Test func `every code of 8 and 16 bits is classified like its value`() {
        for type in [TensorType.float8E4M3, .bfloat16, .float16] {
            var bytes = [UInt8](repeating: 0, count: 401 * type.size)
            for code in 0..<UInt32(1 << (8 * type.size)) {
                bytes.replaceSubrange(..<type.size, with: Self.bytes([code], size: type.size))
                let value =
                    type == .float8E4M3
                    ? Float8.values[Int(code)]
                    : bytes.prefix(2).withUnsafeBytes { FloatConversion.floats($0, type: type)?.first ?? .nan }
                let found = bytes.withUnsafeBytes { FiniteCheck.firstNotFinite(in: $0, type: type) }
                guard (found == nil) == value.isFinite else {
                    Issue.record("\(type) code \(code)")
                    return
                }
            }
        }
    }

    @Test(
        arguments: [(TensorType.bfloat16, 0x77FF, 0x7800), (.float32, 0x77FF_FFFF, 0x7800_0000)]
            as [(TensorType, UInt32, UInt32)])
    func `a scale whose products with codes may be infinite is found at every index`(
        type: TensorType, largest: UInt32, tooLarge: UInt32
    ) {
        let count = 300
        let codes = Self.bytes([UInt32](repeating: largest, count: count), size: type.size)
        for index in [nil, 0, 5, 255, 299] as [Int?] {
            var bytes = codes
            if let index {
                let place = index * type.size..<(index + 1) * type.size
                bytes.replaceSubrange(place, with: Self.bytes([tooLarge], size: type.size))
            }
            bytes.withUnsafeBytes { bytes in
                #expect(FiniteCheck.firstNotFinite(in: bytes, type: type, areScales: true) == index)
                #expect(FiniteCheck.firstNotFinite(in: bytes, type: type) == nil)
            }
        }
    }

    /// The loop over whole blocks must not stop at the first nonzero code: it makes the check fast.
    @Test(arguments: types.indices) func `all whole blocks of finite codes are passed at once`(number: Int) throws {
        let (type, finite, notFinite) = Self.types[number]
        let code = try #require([.float8, .bfloat16, .float16, .float32][number] as NotFiniteCode?)
        let count = 10 * Portable.finiteBlock + 100
        var bytes = Self.bytes((0..<count / type.size).map { finite[$0 % finite.count] }, size: type.size)
        func prefix() -> Int {
            bytes.withUnsafeBytes { bytes in
                bytes.baseAddress.map { Portable.finitePrefix($0, count: bytes.count, code: code) } ?? 0
            }
        }
        #expect(prefix() == 10 * Portable.finiteBlock)
        bytes.replaceSubrange(
            3 * Portable.finiteBlock..<3 * Portable.finiteBlock + type.size,
            with: Self.bytes([notFinite[0]], size: type.size))
        #expect(prefix() == 3 * Portable.finiteBlock)
    }

    @Test func `a search in pieces in any order has the same result as for the whole`() {
        var bytes = [UInt8](repeating: 0x3F, count: 300_000)
        bytes[200_001] = 0x7F
        bytes[250_001] = 0x7F
        bytes[200_000] = 0x80
        let found = bytes.withUnsafeBytes { FiniteCheck.firstNotFinite(in: $0, type: .bfloat16, pool: Backwards()) }
        #expect(found == 100_000)
    }

    private struct Backwards: ParallelExecutor {
        let threads = 2

        func parallelFor(chunks: Int, _ body: (Int) -> Void) {
            for chunk in (0..<chunks).reversed() { body(chunk) }
        }
    }
}
