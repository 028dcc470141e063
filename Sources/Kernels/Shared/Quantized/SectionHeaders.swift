import KernelInterface

extension Kernels {
    /// Decodes the headers of up to 256 columns. Only this function distinguishes the formats of scales and minima, so it is
    /// separate. Decoded float8 scales are multiplied by 2^-8. The operands are those of a `QuantizedProduct`, which is private to
    /// another file, because a type that several files use would come with code that modules share.
    @inline(never)
    static func decodeHeaders(
        _ cursor: UnsafeRawPointer, columns: Int, _ headers: TileMemory, scales kind: QuantizedFormat.Scales,
        minima: QuantizedFormat.Minima, hasSuperBlocks: Bool, groupShift: Int, sectionMask: Int, sectionBytes: Int,
        headerBytes: Int
    ) {
        var cursor = cursor
        if hasSuperBlocks {
            prefetch(cursor + ahead)
            headers.storeBytes(of: float16Lanes(cursor), toByteOffset: 2048, as: SIMD16<Float>.self)
            headers.storeBytes(
                of: float16Lanes(cursor + 32), toByteOffset: 2112, as: SIMD16<Float>.self)
            cursor += 64
        }
        var start = 0
        var target = headers
        while start < columns {
            if headerBytes > 0 { prefetch(cursor + ahead) }
            if headerBytes > 64 { prefetch(cursor + ahead + 64) }
            let minimumBytes = cursor + (minima == .uint8 ? 32 : headerBytes - 64)
            var group = 0
            while group &<< groupShift <= sectionMask {
                target.storeBytes(of: scales(kind, cursor, group), as: SIMD16<Float>.self)
                switch minima {
                case .none: break
                case .zeroPoint:
                    target.storeBytes(
                        of: SIMD16<Int32>.zero &- byteLanes(minimumBytes + group * 16), toByteOffset: 1024,
                        as: SIMD16<Int32>.self)
                case .uint8:
                    target.storeBytes(
                        of: floatLanes(byteLanes(minimumBytes + group * 16)), toByteOffset: 1024,
                        as: SIMD16<Float>.self)
                case .float16:
                    target.storeBytes(
                        of: float16Lanes(minimumBytes + group * 32), toByteOffset: 1024, as: SIMD16<Float>.self)
                }
                target += 64
                group += 1
            }
            cursor += sectionBytes
            start += sectionMask + 1
        }
    }

    @inline(__always)
    private static func scales(
        _ kind: QuantizedFormat.Scales, _ header: UnsafeRawPointer, _ group: Int
    ) -> SIMD16<Float> {
        switch kind {
        case .none: SIMD16(repeating: 1)
        case .float16: float16Lanes(header + group * 32)
        case .bfloat16: bfloat16Lanes(header + group * 32)
        case .float32: load16(header.assumingMemoryBound(to: Float.self), group * 16)
        case .float8: float8Lanes(header + group * 16)
        case .exponent: exponentLanes(header + group * 16)
        case .uint8: floatLanes(byteLanes(header + group * 16))
        case .int8: floatLanes(signedByteLanes(header + group * 16))
        }
    }
}

/// Loads sixteen E8M0 exponents as 2^(e - 127).
@inline(__always)
private func exponentLanes(_ pointer: UnsafeRawPointer) -> SIMD16<Float> {
    let exponents = byteLanes(pointer)
    let smallest = SIMD16<Int32>(repeating: 0x0040_0000)
    return unsafeBitCast(
        (exponents &<< 23).replacing(with: smallest, where: exponents .== 0), to: SIMD16<Float>.self)
}
