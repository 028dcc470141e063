// Makes a process's socket calls fail as the kernel may: loaded in front of the C library (LD_PRELOAD).
//
// FAULTS has what happens and how often, as in "recv:EINTR=0.2 send:short=0.5": `short` does a part of the work, any other
// word is the error that the call returns instead of working. Calls that are not named work. The choice of calls is random from a
// fixed seed.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

static const struct { const char *name; int code; } errors[] = {
    {"EINTR", EINTR}, {"EAGAIN", EAGAIN}, {"EMFILE", EMFILE}, {"ENFILE", ENFILE}, {"ENOBUFS", ENOBUFS}, {"ENOMEM", ENOMEM},
    {"ENOSPC", ENOSPC}, {"ECONNABORTED", ECONNABORTED}, {"ECONNRESET", ECONNRESET}, {"EPIPE", EPIPE},
    {"ETIMEDOUT", ETIMEDOUT}, {"short", 0},
};

static struct { char call[16]; int code; double chance; } faults[32];
static int count;

__attribute__((constructor)) static void read_faults(void) {
    char *text = strdup(getenv("FAULTS") ? getenv("FAULTS") : "");
    for (char *part = strtok(text, " "); part; part = strtok(NULL, " ")) {
        char error[16] = "";
        int known = 0;
        if (count == 32 || sscanf(part, "%15[a-z_]:%15[A-Za-z]=%lf", faults[count].call, error, &faults[count].chance) != 3)
            known = -1;
        for (size_t i = 0; i < sizeof errors / sizeof *errors && known == 0; i++)
            if (!strcmp(error, errors[i].name)) faults[count].code = errors[i].code, known = 1;
        if (known != 1) {
            fprintf(stderr, "faults.c: cannot read '%s'\n", part);
            abort();
        }
        count++;
    }
    free(text);
}

// SplitMix64; calls come from several threads, and any order will do.
static double chance(void) {
    static uint64_t state = 1;
    uint64_t value = __atomic_add_fetch(&state, 0x9e3779b97f4a7c15, __ATOMIC_RELAXED);
    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
    value = (value ^ value >> 27) * 0x94d049bb133111eb;
    return (double)((value ^ value >> 31) >> 11) / (double)(1ull << 53);
}

// The error for this call, 0 to do a part of it, -1 to do it.
static int fault(const char *call) {
    for (int i = 0; i < count; i++)
        if (!strcmp(faults[i].call, call) && chance() < faults[i].chance) return faults[i].code;
    return -1;
}

static size_t part(size_t length) { return length < 2 ? length : 1 + (size_t)(chance() * (length < 40 ? (double)length - 1 : 40)); }

#define REAL(name) static __typeof__(&name) real; if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
#define FAIL(call, value) int code = fault(call); if (code > 0) { errno = code; return value; }

int accept(int socket, struct sockaddr *address, socklen_t *length) {
    REAL(accept);
    FAIL("accept", -1)
    return real(socket, address, length);
}

ssize_t recv(int socket, void *buffer, size_t length, int flags) {
    REAL(recv);
    FAIL("recv", -1)
    return real(socket, buffer, code == 0 ? part(length) : length, flags);
}

ssize_t send(int socket, const void *buffer, size_t length, int flags) {
    REAL(send);
    FAIL("send", -1)
    return real(socket, buffer, code == 0 ? part(length) : length, flags);
}

// Only of sets that are asked without waiting: the server's sockets, not those of the C library's and Dispatch's own.
int epoll_wait(int set, struct epoll_event *events, int most, int timeout) {
    REAL(epoll_wait);
    if (timeout == 0) { FAIL("epoll_wait", -1) }
    return real(set, events, most, timeout);
}

int epoll_ctl(int set, int operation, int file, struct epoll_event *event) {
    REAL(epoll_ctl);
    int type = 0;
    socklen_t length = sizeof type;
    // Of connections alone.
    if (operation == EPOLL_CTL_ADD && getsockopt(file, SOL_SOCKET, SO_TYPE, &type, &length) == 0) {
        int listens = 0;
        length = sizeof listens;
        getsockopt(file, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length);
        if (!listens) { FAIL("epoll_ctl", -1) }
    }
    return real(set, operation, file, event);
}
