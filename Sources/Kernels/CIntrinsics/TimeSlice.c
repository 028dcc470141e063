#define _GNU_SOURCE
#include "CIntrinsics.h"

#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/// The first version of the kernel's struct sched_attr, which older C libraries do not declare.
struct attributes {
    uint32_t size;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime;
    uint64_t deadline;
    uint64_t period;
};

static int read_attributes(struct attributes *attributes) {
    return syscall(SYS_sched_getattr, 0, attributes, (unsigned)sizeof *attributes, 0) == 0 ? 0 : errno;
}

int trinity_set_time_slice(uint64_t nanoseconds) {
    struct attributes attributes = {0};
    int error = read_attributes(&attributes);
    if (error) return error;
    // Real-time policies have no slice of this kind.
    if (attributes.policy != SCHED_OTHER && attributes.policy != SCHED_BATCH) return EINVAL;
    attributes.runtime = nanoseconds;
    // SCHED_FLAG_RESET_ON_FORK: threads that this one starts have the default slice.
    attributes.flags |= 1;
    return syscall(SYS_sched_setattr, 0, &attributes, 0) == 0 ? 0 : errno;
}

uint64_t trinity_time_slice(void) {
    struct attributes attributes = {0};
    return read_attributes(&attributes) == 0 ? attributes.runtime : 0;
}
