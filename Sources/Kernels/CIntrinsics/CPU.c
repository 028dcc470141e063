#include "CIntrinsics.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#if defined(__aarch64__)
#include <sys/auxv.h>
// Bits are named in Linux' arch/arm64/include/uapi/asm/hwcap.h.
#endif

int trinity_has_avx2(void) {
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi")
        && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("f16c") && __builtin_cpu_supports("lzcnt");
#else
    return 0;
#endif
}

int trinity_has_avx512(void) {
#if defined(__x86_64__)
    return trinity_has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
        && __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq")
        && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bf16")
        && __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vnni");
#else
    return 0;
#endif
}

#if defined(__x86_64__)
// Read once: in a virtual machine, cpuid is an exit to the host.
static int half_width_avx512;

__attribute__((constructor)) static void read_width(void) {
    unsigned int vendor, version, b, c, d;
    if (!__get_cpuid(0, &version, &vendor, &c, &d) || vendor != signature_AMD_ebx) return;
    if (!__get_cpuid(1, &version, &b, &c, &d)) return;
    // The base family of all Zen is 15. Family 25 is Zen 3, which has no AVX-512, and Zen 4. KVM hides the bit FP512 of function
    // 8000_001A from guests, so it cannot tell.
    const unsigned int family = (version >> 8 & 15) + (version >> 20 & 255);
    half_width_avx512 = family == 25;
}
#endif

int trinity_has_half_width_avx512(void) {
#if defined(__x86_64__)
    return half_width_avx512;
#else
    return 0;
#endif
}

int trinity_has_neon(void) {
#if defined(__aarch64__)
    const unsigned long dot_product = 1ul << 20;
    return (getauxval(AT_HWCAP) & dot_product) != 0;
#else
    return 0;
#endif
}

int trinity_has_neon_bf16(void) {
#if defined(__aarch64__)
    const unsigned long mixed_bytes = 1ul << 13, bfloat16 = 1ul << 14;
    return trinity_has_neon() && (~getauxval(AT_HWCAP2) & (mixed_bytes | bfloat16)) == 0;
#else
    return 0;
#endif
}
