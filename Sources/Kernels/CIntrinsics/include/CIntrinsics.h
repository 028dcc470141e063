#pragma once

#include <stdint.h>

#include "Vectors.h"

/// Pins the calling thread to one CPU. Returns 0, or the errno of sched_setaffinity.
int trinity_pin_current_thread(int cpu);

/// Fills `cpus` with the numbers of the CPUs in the process's affinity mask; returns how many there are.
int trinity_affinity_cpus(int *cpus, int capacity);

/// Sets the time slice of the calling thread, sched_setattr(2): 100 us to 100 ms on Linux 6.12 or later. Older systems ignore it.
/// Returns 0 or errno; EINVAL for a real-time thread.
int trinity_set_time_slice(uint64_t nanoseconds);

/// The time slice of the calling thread in nanoseconds; 0 if the system does not report it.
uint64_t trinity_time_slice(void);

/// Whether this CPU, and the system on it, run code for x86-64-v3 (AVX2, FMA, BMI2, F16C).
int trinity_has_avx2(void);

/// Whether they run code for x86-64-v4 with BF16, VBMI and VNNI.
int trinity_has_avx512(void);

/// Whether this CPU is a Zen 4, which executes an instruction of 512 bits as two halves.
int trinity_has_half_width_avx512(void);

/// Whether they run code for Armv8.2-A with products of bytes (FEAT_DotProd).
int trinity_has_neon(void);

/// Whether they also have products of bfloat16 (FEAT_BF16) and of unsigned with signed bytes (FEAT_I8MM).
int trinity_has_neon_bf16(void);

/// Tells the CPU that the calling thread spins.
static inline void trinity_pause(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}
