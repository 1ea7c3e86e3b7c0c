#ifndef CLI_MPIRUN_H
#define CLI_MPIRUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "core/id.h"
#include "worker/process.h"

/* The fleet of `prova run` with runtime mpi: its workers, all started by one mpirun. */

/* Before there are threads: is there what a fleet needs? ERR_UNSUPPORTED: this prova was built without MPI;
 * ERR_NOT_FOUND: there is no mpirun. Allows it to run as root, which it refuses unless variables of the
 * environment say so twice. */
int mpirun_prepare(struct err *err);
/* Starts `n_workers` of them; what this host has of cores is no matter, since the user has said how many. It
 * is asked to end (SIGTERM, which it passes on) when this thread ends. ERR_NOT_FOUND, ERR_IO. */
int mpirun_start(struct process *process, const char *endpoint, struct id experiment, int64_t n_workers,
                 struct err *err);

/* The last lines that it has printed; of those that it puts between rulers, the last paragraph. */
enum { MPIRUN_N_WORDS = 3, MPIRUN_MAX_WORDS = 100 };
struct mpirun_words {
    char lines[MPIRUN_N_WORDS][MPIRUN_MAX_WORDS];
    size_t n; /* all that there were */
    bool is_ruled;
};
/* Keeps a copy of a line if it says something. */
void mpirun_listen(struct mpirun_words *words, const char *line);
/* Joined by spaces; "" if there are none. */
void mpirun_last_words(char *out, size_t size, const struct mpirun_words *words);

#endif
