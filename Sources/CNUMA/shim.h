// mbind(2), for which libc has no function. libnuma, which has one, would be one more library to install.
#pragma once
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

/// MPOL_PREFERRED: pages of one node, as long as it has free ones.
static const int trinity_preferred_node = 1;
/// MPOL_INTERLEAVE: pages of several nodes in turn.
static const int trinity_interleaved_nodes = 3;

/// Sets the policy for pages that are touched later: `base` is the address of a page, `nodes` a set of `bits` bits. Returns 0 or errno.
static inline int trinity_set_memory_policy(
    void *base, unsigned long bytes, int policy, const unsigned long *nodes, unsigned long bits) {
    // The system call ignores the last bit.
    return syscall(SYS_mbind, base, bytes, policy, nodes, bits + 1, 0) == 0 ? 0 : errno;
}
