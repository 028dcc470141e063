// What Swift cannot import from <immintrin.h> and <arm_neon.h>: functions over bfloat16 and float16 vectors, and macros. Each
// part exists only for modules compiled for CPUs that have its instructions, so that no other module can call them.
#pragma once

#if defined(__AVX2__)
#include <immintrin.h>

/// Asks for the cache line at `address`, which need not be valid, in the L2 cache. On Zen 4, this is faster than in the L1 cache,
/// perhaps because streams that request lines far ahead fill it.
static inline void trinity_prefetch(const void *address) {
    _mm_prefetch((const char *)address, _MM_HINT_T1);
}

/// Eight bfloat16 numbers as floats. The standard library's conversion would be a generic function shared by all modules.
static inline __m256 trinity_from_eight_bfloat16(__m128i values) {
    return (__m256)_mm256_slli_epi32(_mm256_cvtepu16_epi32(values), 16);
}

/// Sixteen E4M3FN numbers as float16, each times 2^-8: sign, exponent and fraction at their places, the bias as it was.
static inline __m256i trinity_float8_halves(__m128i codes) {
    const __m256i wide = _mm256_slli_epi16(_mm256_cvtepi8_epi16(codes), 7);
    return _mm256_and_si256(wide, _mm256_set1_epi16((short)0xbf80));
}

/// Eight float16 numbers as floats.
static inline __m256 trinity_from_eight_float16(__m128i values) {
    return _mm256_cvtph_ps(values);
}

/// Eight integers rounded to floats.
static inline __m256 trinity_from_eight_integers(__m256i values) {
    return _mm256_cvtepi32_ps(values);
}

/// Eight unsigned bytes as integers of 32 bits.
static inline __m256i trinity_widen_eight_bytes(unsigned long long bytes) {
    return _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)bytes));
}

/// The low bytes of sixteen integers of 32 bits.
static inline __m128i trinity_low_bytes_of_pair(__m256i a, __m256i b) {
    const __m256i mask = _mm256_set1_epi32(0xff);
    const __m256i pairs = _mm256_packus_epi32(_mm256_and_si256(a, mask), _mm256_and_si256(b, mask));
    const __m256i ordered = _mm256_permute4x64_epi64(pairs, 0xd8);
    return _mm_packus_epi16(_mm256_castsi256_si128(ordered), _mm256_extracti128_si256(ordered, 1));
}

/// Four bytes in all lanes.
static inline __m256i trinity_broadcast_four(const void *bytes) {
    int bits;
    __builtin_memcpy(&bits, bytes, sizeof bits);
    return _mm256_set1_epi32(bits);
}

/// The same value, which the compiler must assume to be another one.
static inline __m256i trinity_opaque(__m256i value) {
    __asm__ volatile("" : "+x"(value));
    return value;
}

/// Products of unsigned with signed bytes, of which each two are added to a saturated 16-bit number.
static inline __m256i trinity_multiply_bytes(__m256i a, __m256i b) {
    return _mm256_maddubs_epi16(a, b);
}

/// Products of 16-bit numbers, of which each two are added to a 32-bit number.
static inline __m256i trinity_multiply_pairs(__m256i a, __m256i b) {
    return _mm256_madd_epi16(a, b);
}

/// The bytes of `table` that each byte of `codes`, 0 ..< 16, names in its 16-byte lane.
static inline __m256i trinity_shuffle_halves(__m256i table, __m256i codes) {
    return _mm256_shuffle_epi8(table, codes);
}

/// The low, the high 8 bytes of each 16-byte lane as the upper halves of 32-bit lanes.
static inline __m256i trinity_widen_low_pairs(__m256i bytes) {
    return _mm256_unpacklo_epi16(_mm256_setzero_si256(), bytes);
}
static inline __m256i trinity_widen_high_pairs(__m256i bytes) {
    return _mm256_unpackhi_epi16(_mm256_setzero_si256(), bytes);
}
#endif

#if defined(__AVX512BF16__) && defined(__AVX512VBMI__) && defined(__AVX512VNNI__)
/// sum + a0 * b0 + a1 * b1 + a2 * b2 + a3 * b3 in each 32-bit lane, a unsigned and b signed bytes.
static inline __m512i trinity_dot_bytes(__m512i sum, __m512i a, __m512i b) {
    return _mm512_dpbusd_epi32(sum, a, b);
}

/// Sixteen integers rounded to floats.
static inline __m512 trinity_from_integers(__m512i values) {
    return _mm512_cvtepi32_ps(values);
}

/// Sixteen unsigned, signed bytes as integers of 32 bits.
static inline __m512i trinity_widen_bytes(__m128i bytes) {
    return _mm512_cvtepu8_epi32(bytes);
}
static inline __m512i trinity_widen_signed_bytes(__m128i bytes) {
    return _mm512_cvtepi8_epi32(bytes);
}

/// The low bytes of sixteen integers of 32 bits.
static inline __m128i trinity_low_bytes(__m512i values) {
    return _mm512_cvtepi32_epi8(values);
}

/// Sixteen float16 numbers as floats.
static inline __m512 trinity_from_float16(__m256i values) {
    return _mm512_cvtph_ps(values);
}

/// sum + a0 * b0 + a1 * b1 in each 32-bit lane, a and b pairs of bfloat16.
static inline __m512 trinity_dot_bfloat16(__m512 sum, __m512i a, __m512i b) {
    return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b);
}

/// One bfloat16 pair in all lanes.
static inline __m512i trinity_broadcast_pair(const void *pair) {
    int bits;
    __builtin_memcpy(&bits, pair, sizeof bits);
    return _mm512_set1_epi32(bits);
}

/// The bytes of a 128-entry table, `low` and `high`, that the low 7 bits of each byte of `codes` name.
static inline __m512i trinity_lookup(__m512i low, __m512i codes, __m512i high) {
    return _mm512_permutex2var_epi8(low, codes, high);
}

/// The bytes of `codes` that each byte of `order` names.
static inline __m512i trinity_permute(__m512i codes, __m512i order) {
    return _mm512_permutexvar_epi8(order, codes);
}

/// Four channels of keys of 16 tokens, (4, 16), in the order of a line of weights: of each four tokens the first two
/// channels, then the last two.
static inline __m512i trinity_key_order(void) {
    static const unsigned char order[64] __attribute__((aligned(64))) = {
#define TRINITY_FOUR(t, c) t + c, t + c + 16, t + c + 1, t + c + 17, t + c + 2, t + c + 18, t + c + 3, t + c + 19
        TRINITY_FOUR(0, 0), TRINITY_FOUR(0, 32), TRINITY_FOUR(4, 0), TRINITY_FOUR(4, 32),
        TRINITY_FOUR(8, 0), TRINITY_FOUR(8, 32), TRINITY_FOUR(12, 0), TRINITY_FOUR(12, 32),
#undef TRINITY_FOUR
    };
    return _mm512_load_si512(order);
}

/// For `trinity_lookup` in two tokens' values of 64 channels: the first (0) or last (1) 32 channels as pairs of tokens, of
/// each 8 bytes those of four channels, so that the low halves of all lanes are 16 channels and the high ones the next 16.
static inline __m512i trinity_value_order(int half) {
    static const unsigned char order[2][64] __attribute__((aligned(64))) = {
#define TRINITY_FOUR(c) c, c + 64, c + 1, c + 65, c + 2, c + 66, c + 3, c + 67
#define TRINITY_HALF(c) \
    TRINITY_FOUR(c), TRINITY_FOUR(c + 16), TRINITY_FOUR(c + 4), TRINITY_FOUR(c + 20), \
    TRINITY_FOUR(c + 8), TRINITY_FOUR(c + 24), TRINITY_FOUR(c + 12), TRINITY_FOUR(c + 28)
        {TRINITY_HALF(0)}, {TRINITY_HALF(32)},
#undef TRINITY_HALF
#undef TRINITY_FOUR
    };
    return _mm512_load_si512(order[half]);
}

#define TRINITY_PAIRS(c) \
    c, c + 32, c + 1, c + 33, c + 2, c + 34, c + 3, c + 35, c + 4, c + 36, c + 5, c + 37, c + 6, c + 38, c + 7, c + 39, \
    c + 8, c + 40, c + 9, c + 41, c + 10, c + 42, c + 11, c + 43, c + 12, c + 44, c + 13, c + 45, c + 14, c + 46, \
    c + 15, c + 47

/// Sixteen 16-bit elements of a and of b as pairs: elements 0 ..< 16 of each (half 0), or 16 ..< 32 (half 1).
static inline __m512i trinity_pair_rows(__m512i a, __m512i b, int half) {
    static const unsigned short order[2][32] __attribute__((aligned(64))) = {{TRINITY_PAIRS(0)}, {TRINITY_PAIRS(16)}};
    return _mm512_permutex2var_epi16(a, _mm512_load_si512(order[half]), b);
}
#undef TRINITY_PAIRS

/// The first 16 of 32 16-bit elements, each paired with the one 16 places after it.
static inline __m512i trinity_pair_halves(__m512i elements) {
    static const unsigned short order[32] __attribute__((aligned(64))) = {
        0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31,
    };
    return _mm512_permutexvar_epi16(_mm512_load_si512(order), elements);
}

#define TRINITY_SIXTEEN(x) x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x
#define TRINITY_FRACTIONS 0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x80, 0x90, 0xa0, 0xb0, 0xc0, 0xd0, 0xe0, 0xf0

/// Low and high bytes of the bfloat16 values of the E4M3FN codes 0 ..< 128: a normal number's bits are (code << 4) +
/// (120 << 7), and codes 1 to 7 are multiples of 2^-9.
static const unsigned char trinity_float8_bytes[2][128] __attribute__((aligned(64))) = {
    {0x00, 0x00, 0x80, 0xc0, 0x00, 0x20, 0x40, 0x60, 0x80, 0x90, 0xa0, 0xb0, 0xc0, 0xd0, 0xe0, 0xf0, TRINITY_FRACTIONS,
     TRINITY_FRACTIONS, TRINITY_FRACTIONS, TRINITY_FRACTIONS, TRINITY_FRACTIONS, TRINITY_FRACTIONS, TRINITY_FRACTIONS},
    {0x00, 0x3b, 0x3b, 0x3b, 0x3c, 0x3c, 0x3c, 0x3c, 0x3c, 0x3c, 0x3c, 0x3c, 0x3c, 0x3c, 0x3c, 0x3c,
     TRINITY_SIXTEEN(0x3d), TRINITY_SIXTEEN(0x3e), TRINITY_SIXTEEN(0x3f), TRINITY_SIXTEEN(0x40), TRINITY_SIXTEEN(0x41),
     TRINITY_SIXTEEN(0x42), TRINITY_SIXTEEN(0x43)},
};

/// Half a table: the low (0) or high (1) bytes of the codes 0 ..< 64 (0) or 64 ..< 128 (1).
static inline __m512i trinity_float8_table(int high, int upper) {
    return _mm512_load_si512(trinity_float8_bytes[high] + upper * 64);
}

/// bytes | (codes & mask)
static inline __m512i trinity_or_masked(__m512i bytes, __m512i codes, __m512i mask) {
    return _mm512_ternarylogic_epi64(bytes, codes, mask, 0xf8);
}

/// The low, the high 8 bytes of each 16-byte lane of a and b, interleaved.
static inline __m512i trinity_interleave_low(__m512i a, __m512i b) {
    return _mm512_unpacklo_epi8(a, b);
}
static inline __m512i trinity_interleave_high(__m512i a, __m512i b) {
    return _mm512_unpackhi_epi8(a, b);
}

/// Sixteen floats rounded to bfloat16, to nearest, ties to even; denormals become zeros.
static inline __m256i trinity_to_bfloat16(__m512 values) {
    return (__m256i)_mm512_cvtneps_pbh(values);
}

/// Pairs of sixteen floats a and b rounded to bfloat16, as above; a is in the low halves.
static inline __m512i trinity_to_bfloat16_pairs(__m512 a, __m512 b) {
    const __m512i low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(a));
    const __m512i high = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(b));
    return _mm512_or_si512(low, _mm512_slli_epi32(high, 16));
}

/// Sixteen E4M3FN numbers as floats, each times 2^-8.
static inline __m512 trinity_from_float8(__m128i codes) {
    return _mm512_cvtph_ps(trinity_float8_halves(codes));
}

/// Thirty-two E4M3FN numbers as float16, as in `trinity_float8_halves`.
static inline __m512i trinity_float8_wide_halves(__m256i codes) {
    const __m512i wide = _mm512_slli_epi16(_mm512_cvtepi8_epi16(codes), 7);
    return _mm512_and_si512(wide, _mm512_set1_epi16((short)0xbf80));
}

/// The first, the last sixteen of thirty-two float16 numbers as floats.
static inline __m512 trinity_from_low_halves(__m512i halves) {
    return _mm512_cvtph_ps(_mm512_castsi512_si256(halves));
}
static inline __m512 trinity_from_high_halves(__m512i halves) {
    return _mm512_cvtph_ps(_mm512_extracti64x4_epi64(halves, 1));
}

/// The largest lane.
static inline float trinity_largest_lane(__m512 values) {
    return _mm512_reduce_max_ps(values);
}

/// Sixteen bfloat16 numbers as floats.
static inline __m512 trinity_from_bfloat16(__m256i values) {
    return (__m512)_mm512_slli_epi32(_mm512_cvtepu16_epi32(values), 16);
}

/// The lanes of `mask` from memory, the others zero; only those are read.
static inline __m512 trinity_load_masked(const float *source, unsigned short mask) {
    return _mm512_maskz_loadu_ps(mask, source);
}

/// Stores the lanes of `mask`.
static inline void trinity_store_masked(__m512 values, float *target, unsigned short mask) {
    _mm512_mask_storeu_ps(target, mask, values);
}

/// The larger of each lane.
static inline __m512 trinity_max(__m512 a, __m512 b) {
    return _mm512_max_ps(a, b);
}
#endif

#if defined(__ARM_FEATURE_DOTPROD)
#include <arm_neon.h>

/// Asks for the cache line at `address`, which need not be valid.
static inline void trinity_prefetch(const void *address) {
    __builtin_prefetch(address, 0, 3);
}

/// The first, the last four of eight bfloat16 numbers as floats.
static inline float32x4_t trinity_from_low_bfloat16(uint16x8_t values) {
    return vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(values), 16));
}
static inline float32x4_t trinity_from_high_bfloat16(uint16x8_t values) {
    return vreinterpretq_f32_u32(vshll_high_n_u16(values, 16));
}

/// The first, the last four of eight float16 numbers as floats.
static inline float32x4_t trinity_from_low_float16(uint16x8_t values) {
    return vcvt_f32_f16(vreinterpret_f16_u16(vget_low_u16(values)));
}
static inline float32x4_t trinity_from_high_float16(uint16x8_t values) {
    return vcvt_high_f32_f16(vreinterpretq_f16_u16(values));
}

/// The first, the last eight of sixteen E4M3FN numbers as float16, each times 2^-8: sign, exponent and fraction at their places,
/// the bias as it was.
static inline uint16x8_t trinity_float8_low_halves(int8x16_t codes) {
    return vandq_u16(vreinterpretq_u16_s16(vshll_n_s8(vget_low_s8(codes), 7)), vdupq_n_u16(0xbf80));
}
static inline uint16x8_t trinity_float8_high_halves(int8x16_t codes) {
    return vandq_u16(vreinterpretq_u16_s16(vshll_high_n_s8(codes, 7)), vdupq_n_u16(0xbf80));
}

/// The bytes at even places, then those at odd places.
static inline int8x16_t trinity_even_then_odd(int8x16_t bytes) {
    const int8x16_t even = vuzp1q_s8(bytes, bytes), odd = vuzp2q_s8(bytes, bytes);
    return vcombine_s8(vget_low_s8(even), vget_low_s8(odd));
}

/// Four integers rounded to floats.
static inline float32x4_t trinity_from_four_integers(int32x4_t values) {
    return vcvtq_f32_s32(values);
}

/// The unsigned bytes of a quarter, 0 ..< 4, as integers of 32 bits.
static inline int32x4_t trinity_widen_four_bytes(uint8x16_t bytes, int quarter) {
    const uint16x8_t half = quarter < 2 ? vmovl_u8(vget_low_u8(bytes)) : vmovl_high_u8(bytes);
    return vreinterpretq_s32_u32(quarter % 2 == 0 ? vmovl_u16(vget_low_u16(half)) : vmovl_high_u16(half));
}

/// The low bytes of sixteen integers of 32 bits.
static inline int8x16_t trinity_low_bytes(int32x4_t a, int32x4_t b, int32x4_t c, int32x4_t d) {
    const int16x8_t low = vuzp1q_s16(vreinterpretq_s16_s32(a), vreinterpretq_s16_s32(b));
    const int16x8_t high = vuzp1q_s16(vreinterpretq_s16_s32(c), vreinterpretq_s16_s32(d));
    return vuzp1q_s8(vreinterpretq_s8_s16(low), vreinterpretq_s8_s16(high));
}

/// The bytes of `table` that each byte of `codes`, 0 ..< 16, names.
static inline uint8x16_t trinity_table_bytes(uint8x16_t table, uint8x16_t codes) {
    return vqtbl1q_u8(table, codes);
}

/// sum + the products of four unsigned bytes of each 32-bit lane of `first` with x[0 ..< 4], and of `last` with x[4 ..< 8].
/// `is_wide` says whether there are bytes above 127, and is a constant.
static inline int32x4_t trinity_dot_eight(int32x4_t sum, uint8x16_t first, uint8x16_t last, int8x8_t x, int is_wide) {
#if defined(__ARM_FEATURE_MATMUL_INT8)
    return vusdotq_lane_s32(vusdotq_lane_s32(sum, first, x, 0), last, x, 1);
#else
    if (is_wide) {
        // Signed bytes that are 128 less, so -128 times x is subtracted for each.
        const int8x16_t offset = vdupq_n_s8(-128);
        const int32x4_t excess = vdotq_lane_s32(vdotq_lane_s32(vdupq_n_s32(0), offset, x, 0), offset, x, 1);
        const uint8x16_t sign = vdupq_n_u8(0x80);
        first = veorq_u8(first, sign);
        last = veorq_u8(last, sign);
        sum = vsubq_s32(sum, excess);
    }
    sum = vdotq_lane_s32(sum, vreinterpretq_s8_u8(first), x, 0);
    return vdotq_lane_s32(sum, vreinterpretq_s8_u8(last), x, 1);
#endif
}

#if defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC)
/// Eight floats rounded to bfloat16, to nearest, ties to even.
static inline uint16x8_t trinity_to_bfloat16(float32x4_t low, float32x4_t high) {
    return (uint16x8_t)vcvtq_high_bf16_f32(vcvtq_low_bf16_f32(low), high);
}

/// Eight float16 numbers with at most 7 bits of fraction as bfloat16.
static inline uint16x8_t trinity_bfloat16_from_halves(uint16x8_t halves) {
    const float32x4_t low = trinity_from_low_float16(halves), high = trinity_from_high_float16(halves);
    return vuzp2q_u16(vreinterpretq_u16_f32(low), vreinterpretq_u16_f32(high));
}

/// sum + the products of two pairs of bfloat16 in each 32-bit lane, of `first` with x[0 ..< 2], then of `second` with x[2 ..< 4].
static inline float32x4_t trinity_dot_four(float32x4_t sum, uint16x8_t first, uint16x8_t second, uint16x4_t x) {
    sum = vbfdotq_lane_f32(sum, (bfloat16x8_t)first, (bfloat16x4_t)x, 0);
    return vbfdotq_lane_f32(sum, (bfloat16x8_t)second, (bfloat16x4_t)x, 1);
}

/// sum + a b^T with bfloat16 matrices a (2, 4) and b (2, 4).
static inline float32x4_t trinity_multiply_matrices(float32x4_t sum, uint16x8_t a, uint16x8_t b) {
    return vbfmmlaq_f32(sum, (bfloat16x8_t)a, (bfloat16x8_t)b);
}

/// The pairs of the first, the last two 32-bit lanes of a and b, interleaved.
static inline uint16x8_t trinity_interleave_low_pairs(uint16x8_t a, uint16x8_t b) {
    return vreinterpretq_u16_u32(vzip1q_u32(vreinterpretq_u32_u16(a), vreinterpretq_u32_u16(b)));
}
static inline uint16x8_t trinity_interleave_high_pairs(uint16x8_t a, uint16x8_t b) {
    return vreinterpretq_u16_u32(vzip2q_u32(vreinterpretq_u32_u16(a), vreinterpretq_u32_u16(b)));
}
#endif
#endif
