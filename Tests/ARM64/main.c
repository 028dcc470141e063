// Runs the cases of one kernel set, and prints a line for each. Kernel sets of two architectures are compared by these lines.
#include "Cases/report.h"
#include "CIntrinsics.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/// In Cases/Cases.swift.
void run_cases(void);

void report(const char *name, long a, long b, long c, const void *result, long count, int is_float) {
    const long bytes = is_float ? count * 4 : count;
    // FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv. Architectures differ in the bits of a NaN, which count as one value.
    uint64_t digest = 0xcbf29ce484222325;
    double total = 0;
    for (long i = 0; i < bytes; i++) {
        uint8_t byte = ((const uint8_t *)result)[i];
        if (is_float) {
            float value;
            memcpy(&value, (const uint8_t *)result + i / 4 * 4, 4);
            if (value != value) byte = 0xff;
            else if (i % 4 == 0) total += value;
        }
        digest = (digest ^ byte) * 0x100000001b3;
    }
    printf("%s %ld %ld %ld: %ld %016llx %a\n", name, a, b, c, count, (unsigned long long)digest, total);
}

void fail(const char *message, long a, long b, long c) {
    fprintf(stderr, "%s: %ld %ld %ld\n", message, a, b, c);
    exit(1);
}

/// With the argument `features`, names the kernel sets for arm64 that the CPU supports.
int main(int count, char **arguments) {
    if (count == 2 && strcmp(arguments[1], "features") == 0) {
        printf("NEON %d, NEONBF16 %d\n", trinity_has_neon(), trinity_has_neon_bf16());
        return 0;
    }
    run_cases();
    return 0;
}
