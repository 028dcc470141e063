#include "Ceilings.h"

#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("avx2"))) unsigned long long ceiling_read(const void *memory, size_t bytes) {
    const __m256i *lines = memory;
    __m256i sums[8] = {{0}};
    for (size_t i = 0; i < bytes / 32; i += 8) {
        _mm_prefetch((const char *)(lines + i) + 4096, _MM_HINT_T0);
        _mm_prefetch((const char *)(lines + i) + 4160, _MM_HINT_T0);
        _mm_prefetch((const char *)(lines + i) + 4224, _MM_HINT_T0);
        _mm_prefetch((const char *)(lines + i) + 4288, _MM_HINT_T0);
        for (int j = 0; j < 8; j++) sums[j] = _mm256_xor_si256(sums[j], _mm256_load_si256(lines + i + j));
    }
    for (int j = 1; j < 8; j++) sums[0] = _mm256_xor_si256(sums[0], sums[j]);
    return (unsigned long long)_mm256_extract_epi64(sums[0], 0);
}

__attribute__((target("avx512f,avx512bf16"))) static double bfloat16_rounds(size_t rounds) {
    __m512 sums[16];
    __m512 a = _mm512_set1_ps(0x1p-60f), b = _mm512_set1_ps(0x1p-60f);
    for (int j = 0; j < 16; j++) sums[j] = _mm512_setzero_ps();
    for (size_t i = 0; i < rounds; i++) {
        for (int j = 0; j < 16; j++) sums[j] = _mm512_dpbf16_ps(sums[j], (__m512bh)a, (__m512bh)b);
        __asm__ volatile("" : "+v"(a));
    }
    for (int j = 0; j < 16; j++) __asm__ volatile("" : : "v"(sums[j]));
    return (double)rounds * 16 * 64;
}

double ceiling_bfloat16(size_t rounds) {
    return __builtin_cpu_supports("avx512bf16") ? bfloat16_rounds(rounds) : 0;
}
#else
unsigned long long ceiling_read(const void *memory, size_t bytes) {
    const unsigned long long *words = memory;
    unsigned long long sum = 0;
    for (size_t i = 0; i < bytes / 8; i++) sum ^= words[i];
    return sum;
}

double ceiling_bfloat16(size_t rounds) { return 0; }
#endif
