#ifndef WORKER_MPI_MODULE_H
#define WORKER_MPI_MODULE_H

#include <stddef.h>
#include <stdint.h>

/* All that prova does with MPI, behind a table: the module libprova_mpi.so, which is loaded where a worker
 * was started by mpirun, and nowhere else. So neither libprova nor the command needs MPI to be installed, and
 * a build without it lacks this one file. */

#define MPI_MODULE_VERSION 1 /* raised whenever this file changes */
#define MPI_MODULE_FILE    "libprova_mpi.so"
#define MPI_MODULE_SYMBOL  "prova_mpi_module"

/* What fails returns non-zero and fills `error`. */
struct mpi_module {
    uint32_t version; /* MPI_MODULE_VERSION */
    /* MPI_Init. `name` (of `size` bytes) is made that of world rank 0 in all processes. */
    int (*open)(int *rank, char *name, size_t size, char *error, size_t capacity);
    /* MPI_Finalize: waits for all processes. */
    void (*close)(void);
    /* The communicator of these world ranks, which all of them call. One at a time. */
    int (*enter)(const int *ranks, int n, uint64_t gang, char *error, size_t capacity);
    void (*leave)(void);
    int (*allreduce_sum)(double *x, size_t n, char *error, size_t capacity);
    int (*broadcast)(void *data, size_t size, char *error, size_t capacity);
    const void *(*communicator)(void); /* MPI_Comm * */
};

#endif
