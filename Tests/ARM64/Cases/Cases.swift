// The cases: every kernel of a set on inputs from a fixed generator. Compiled together with the sources of a set, whose type is
// `Kernels`, because Embedded Swift has no metatypes with which a family could be passed.

@c(run_cases)
func runCases() {
    weightCases()
    quantizedCases()
    cacheCases()
    elementwiseCases()
    routingCases()
}

/// Repeatable random numbers (splitmix64).
struct RandomValues {
    private var state: UInt64

    init(seed: Int) { state = UInt64(seed) }

    mutating func bits() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return z ^ z >> 31
    }

    /// 0 ..< bound
    mutating func below(_ bound: UInt64) -> Int { Int(bits() >> 32 % bound) }

    /// -limit ..< limit
    mutating func float(_ limit: Float = 1) -> Float { (Float(bits() >> 40) * 0x1p-23 - 1) * limit }
}

/// Memory at a multiple of 64 bytes. The process is short, so none is freed.
struct Memory {
    let base: UnsafeMutableRawPointer
    let bytes: Int

    /// Filled with ones, which are NaN as floats: a result that is not written is seen.
    init(bytes: Int) {
        self.bytes = bytes
        base = .allocate(byteCount: bytes + 64, alignment: 64)
        base.initializeMemory(as: UInt8.self, repeating: 0xff, count: bytes + 64)
    }

    init(floats: Int) { self.init(bytes: floats * 4) }

    /// Random floats, -limit ..< limit.
    init(floats count: Int, limit: Float = 1, _ random: inout RandomValues) {
        self.init(floats: count)
        for i in 0..<count { floats[i] = random.float(limit) }
    }

    var floats: UnsafeMutablePointer<Float> { base.assumingMemoryBound(to: Float.self) }
    var integers: UnsafeMutablePointer<Int32> { base.assumingMemoryBound(to: Int32.self) }
}

/// Reports floats.
func report(_ name: StaticString, _ a: Int, _ b: Int, _ c: Int, floats: Memory) {
    name.withUTF8Buffer { name in
        guard let name = name.baseAddress else { return }
        report(name, a, b, c, floats.base, floats.bytes / 4, 1)
    }
}

/// Ends the program with a message if a result is wrong.
func check(_ isRight: Bool, _ message: StaticString, _ a: Int, _ b: Int, _ c: Int) {
    if isRight { return }
    message.withUTF8Buffer { message in
        guard let message = message.baseAddress else { return }
        fail(message, a, b, c)
    }
}

/// Reports bytes.
func report(_ name: StaticString, _ a: Int, _ b: Int, _ c: Int, bytes: Memory) {
    name.withUTF8Buffer { name in
        guard let name = name.baseAddress else { return }
        report(name, a, b, c, bytes.base, bytes.bytes, 0)
    }
}
