import KernelInterface

extension Kernels {
    /// Decodes the headers of up to 256 columns. Only this function distinguishes the formats of scales and minima, so it is
    /// separate. Decoded float8 scales are multiplied by 2^-8. The operands are those of a `QuantizedProduct`, which is private to
    /// another file, because a type that several files use would come with code that modules share.
    @inline(never)
    static func decodeHeaders(
        _ cursor: UnsafeRawPointer, distance: Int, columns: Int, _ headers: TileMemory,
        scales kind: QuantizedFormat.Scales,
        minima: QuantizedFormat.Minima, hasSuperBlocks: Bool, groupShift: Int, sectionMask: Int, sectionBytes: Int,
        headerBytes: Int
    ) {
        var cursor = cursor
        if hasSuperBlocks {
            prefetch(cursor + distance)
            headers.storeBytes(of: float16Lanes(cursor), toByteOffset: 2048, as: SIMD16<Float>.self)
            headers.storeBytes(
                of: float16Lanes(cursor + 32), toByteOffset: 2112, as: SIMD16<Float>.self)
            cursor += 64
        }
        let sections = (columns + sectionMask) &>> (sectionMask + 1).trailingZeroBitCount
        let groups = (sectionMask + 1) &>> groupShift
        var section = 0
        while section < sections && headerBytes > 0 {
            prefetch(cursor + section * sectionBytes + distance)
            if headerBytes > 64 { prefetch(cursor + section * sectionBytes + distance + 64) }
            section += 1
        }
        // Each format has its own loop, with a constant number of groups in a section where the kind of scales determines it.
        @inline(__always)
        func store(
            _ groups: Int, _ first: UnsafeRawPointer, _ target: TileMemory,
            _ value: (UnsafeRawPointer, Int) -> SIMD16<Float>
        ) {
            var (header, target) = (first, target)
            var section = 0
            while section < sections {
                var group = 0
                while group < groups {
                    target.storeBytes(of: value(header, group), as: SIMD16<Float>.self)
                    target += 64
                    group += 1
                }
                header += sectionBytes
                section += 1
            }
        }
        switch kind {
        case .none: store(groups, cursor, headers) { _, _ in SIMD16(repeating: 1) }
        case .float16: store(2, cursor, headers) { float16Lanes($0 + $1 * 32) }
        case .bfloat16: store(2, cursor, headers) { bfloat16Lanes($0 + $1 * 32) }
        case .float32: store(1, cursor, headers) { load16($0.assumingMemoryBound(to: Float.self), $1 * 16) }
        case .float8: store(4, cursor, headers) { float8Lanes($0 + $1 * 16) }
        case .exponent: store(4, cursor, headers) { exponentLanes($0 + $1 * 16) }
        case .uint8: store(2, cursor, headers) { floatLanes(byteLanes($0 + $1 * 16)) }
        case .int8: store(4, cursor, headers) { floatLanes(signedByteLanes($0 + $1 * 16)) }
        }
        let minimumBytes = cursor + (minima == .uint8 ? 32 : headerBytes - 64)
        switch minima {
        case .none: break
        case .zeroPoint:
            store(groups, minimumBytes, headers + 1024) {
                unsafeBitCast(SIMD16<Int32>.zero &- byteLanes($0 + $1 * 16), to: SIMD16<Float>.self)
            }
        case .uint8: store(2, minimumBytes, headers + 1024) { floatLanes(byteLanes($0 + $1 * 16)) }
        case .float16: store(2, minimumBytes, headers + 1024) { float16Lanes($0 + $1 * 32) }
        }
    }
}

/// Loads sixteen E8M0 exponents as 2^(e - 127).
@inline(__always)
private func exponentLanes(_ pointer: UnsafeRawPointer) -> SIMD16<Float> {
    let exponents = byteLanes(pointer)
    // 2^-127, whose exponent is 0, is subnormal. A selection of lanes would be slow in AVX2, which has no masks.
    let smallest = (exponents &- 1) &>> 31 & 0x0040_0000
    return unsafeBitCast(exponents &<< 23 | smallest, to: SIMD16<Float>.self)
}
