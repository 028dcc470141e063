import CIntrinsics

/// Decodes sixty-four E4M3FN codes to bfloat16, exactly. Returns the low and the high 8 of each 16 codes. For a line of weights,
/// these are the even and the odd pair of columns of each row.
@inline(__always)
func float8Pairs(_ codes: SIMD8<Int64>) -> (SIMD8<Int64>, SIMD8<Int64>) {
    let sign = SIMD8<Int64>(repeating: Int64(bitPattern: 0x8080_8080_8080_8080))
    let low = trinity_lookup(trinity_float8_table(0, 0), codes, trinity_float8_table(0, 1))
    let high = trinity_or_masked(
        trinity_lookup(trinity_float8_table(1, 0), codes, trinity_float8_table(1, 1)), codes, sign)
    return (trinity_interleave_low(low, high), trinity_interleave_high(low, high))
}
