#ifndef WORKER_RUNTIME_H
#define WORKER_RUNTIME_H

#include "core/spec.h"
#include "worker/command_line.h"
#include "worker/handle.h"

/* Runtime: how the members of a gang find each other and work together. A plug-in is one const struct
 * runtime_type and its line in runtime.c. */

struct runtime_type {
    const char *name;
    /* Adds its variables to a program's environment. Returns 0 or ERR_NOMEM. Optional. */
    int (*set_variables)(struct command_line *line, const struct prova_trial *trial);

    /* What functions do together; all optional, all or none of them. `enter` is called by all members before
     * their function, and blocks until all have; `leave` after it. Each returns 0, or a code and a text. */
    int (*enter)(const struct prova_trial *trial, struct err *err);
    void (*leave)(void);
    int (*allreduce_sum)(double *x, size_t n, struct err *err);
    int (*broadcast)(void *data, size_t size, struct err *err); /* from rank 0 */
    const void *(*communicator)(void);                          /* MPI_Comm * of the gang */
};

const struct runtime_type *runtime_find(enum runtime runtime);

#endif
