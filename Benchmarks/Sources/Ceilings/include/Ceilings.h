#pragma once
#include <stddef.h>

/// Reads `bytes` bytes, a multiple of 256, and returns something that depends on all of them.
unsigned long long ceiling_read(const void *memory, size_t bytes);

/// Runs `rounds` rounds of bfloat16 dot products on registers; returns how many floating-point operations that were, 0
/// where the CPU has no such instruction.
double ceiling_bfloat16(size_t rounds);
