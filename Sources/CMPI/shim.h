// Open MPI. The functions below stand for its macros and structures, which Swift cannot use.
#pragma once
#define OMPI_SKIP_MPICXX 1
#include <mpi.h>
#include <sys/prctl.h>

static inline MPI_Comm trinity_mpi_world(void) { return MPI_COMM_WORLD; }

static inline int trinity_mpi_init(void) {
    int provided = 0;
    int code = MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided);
    if (code == MPI_SUCCESS) code = MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    return code;
}

static inline int trinity_mpi_send(const void *bytes, int count, int rank, MPI_Request *request) {
    return MPI_Isend(bytes, count, MPI_BYTE, rank, 0, MPI_COMM_WORLD, request);
}

/// Looks for a message of a rank: 1 if there is one, 0 if not, -1 on an error. A message that is found is received only by
/// its handle.
static inline int trinity_mpi_probe(int rank, MPI_Message *message, int *count) {
    int found = 0;
    MPI_Status status;
    if (MPI_Improbe(rank, 0, MPI_COMM_WORLD, &found, message, &status) != MPI_SUCCESS) return -1;
    if (!found) return 0;
    return MPI_Get_count(&status, MPI_BYTE, count) == MPI_SUCCESS ? 1 : -1;
}

static inline int trinity_mpi_receive(void *bytes, int count, MPI_Message *message, MPI_Request *request) {
    return MPI_Imrecv(bytes, count, MPI_BYTE, message, request);
}

/// Starts a barrier of all ranks.
static inline int trinity_mpi_barrier(MPI_Request *request) { return MPI_Ibarrier(MPI_COMM_WORLD, request); }

/// Whether a request is done: 1 or 0, or -1 on an error.
static inline int trinity_mpi_test(MPI_Request *request) {
    int done = 0;
    if (MPI_Test(request, &done, MPI_STATUS_IGNORE) != MPI_SUCCESS) return -1;
    return done;
}

/// Lets naps of this thread end within a microsecond of their time, in place of 50.
static inline void trinity_sharpen_naps(void) { prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL); }
